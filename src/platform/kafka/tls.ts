import { readFileSync } from 'node:fs'
import { connect as connectPlainly, isIP } from 'node:net'
import { connect, createSecureContext, getCACertificates, type SecureContext, type TLSSocket } from 'node:tls'
import type { ISocketFactory } from 'kafkajs'

/** Files in PEM; none of them: the authorities of Node and of the system, and no certificate of ours. */
export interface TlsFiles {
  ca?: string
  cert?: string
  key?: string
  passphrase?: string
}

const keepAliveMs = 60_000

/**
 * The connections to the brokers. The broker's certificate and its name are checked always, whatever
 * NODE_TLS_REJECT_UNAUTHORIZED says. The files are read anew for each connection, so that certificates that live for
 * hours are renewed without a restart.
 */
export function createSocketFactory(
  files: TlsFiles | undefined,
  onSecure?: (socket: TLSSocket) => void,
): ISocketFactory {
  const contextOf = createContextSource(files ?? {})
  return ({ host, port, onConnect }) => {
    if (!files)
      return connectPlainly(
        { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs },
        onConnect,
      )
    const socket = connect(
      {
        host,
        port,
        ...(isIP(host) ? {} : { servername: host }),
        secureContext: contextOf(),
        rejectUnauthorized: true,
      },
      () => {
        onSecure?.(socket)
        onConnect()
      },
    )
    socket.setNoDelay(true).setKeepAlive(true, keepAliveMs)
    return socket
  }
}

/** A context is made once for the same files: reading 150 authorities takes milliseconds. */
function createContextSource({ ca, cert, key, passphrase }: TlsFiles): () => SecureContext {
  let last: { pems: (string | undefined)[]; context: SecureContext } | undefined
  return () => {
    const pems = [ca, cert, key].map((path) => path && readFileSync(path, 'utf8'))
    if (!last || pems.some((pem, index) => pem !== last!.pems[index])) {
      const context = createSecureContext({
        ca: pems[0] ?? knownAuthorities(),
        cert: pems[1],
        key: pems[2],
        passphrase,
        minVersion: 'TLSv1.2',
      })
      last = { pems, context }
    }
    return last.context
  }
}

let known: string[] | undefined
/** Those that Node knows (and NODE_EXTRA_CA_CERTS), and those of the system. */
export function knownAuthorities(): string[] {
  known ??= [...new Set([...getCACertificates('default'), ...getCACertificates('system')])]
  return known
}

const trustFault =
  /^(CERT_|ERR_TLS_CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH_|ERR_SSL_.*(ALERT|CERTIFICATE|UNKNOWN_CA|PROTOCOL))/

/** One side does not trust the other, or they have no version of TLS in common: trying again does not help. */
export function isTrustFault(code: unknown): boolean {
  return typeof code === 'string' && trustFault.test(code)
}
