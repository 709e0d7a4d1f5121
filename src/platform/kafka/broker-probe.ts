import { once } from 'node:events'
import { TLSSocket } from 'node:tls'
import type { KafkaOptions } from './connection.ts'
import { operational } from './connection.ts'
import { createSocketFactory } from './tls.ts'

export interface BrokerFacts {
  tls?: { version: string; validTo: Date }
  /** The release whose metadata the broker knows, such as `4.3`; undefined where it does not tell: before 3.3, or not Kafka's own. */
  release?: string
}

const timeoutMs = 10_000

/**
 * What a broker is, asked before any login: how TLS is spoken, and which release it is. Throws OperationalError KAFKA_REFUSED or
 * KAFKA_UNAVAILABLE.
 */
export async function probeBroker(address: string, options: Pick<KafkaOptions, 'ssl'>): Promise<BrokerFacts> {
  const at = address.lastIndexOf(':')
  const [host, port] = [address.slice(0, at), Number(address.slice(at + 1))]
  const ready = Promise.withResolvers<void>()
  const factory = createSocketFactory(options.ssl === true ? {} : options.ssl || undefined)
  let socket: ReturnType<typeof factory> | undefined
  try {
    socket = factory({ host, port, ssl: {}, onConnect: ready.resolve })
    socket.on('error', ready.reject).setTimeout(timeoutMs, () => socket?.destroy(new Error('no answer')))
    await ready.promise
    const tls =
      socket instanceof TLSSocket
        ? { version: socket.getProtocol() ?? '?', validTo: new Date(socket.getPeerCertificate().valid_to) }
        : undefined
    socket.write(apiVersionsRequest)
    return { tls, release: releaseOf(await answerFrom(socket)) }
  } catch (error) {
    throw operational(error, address)
  } finally {
    socket?.destroy()
  }
}

async function answerFrom(socket: NodeJS.ReadableStream): Promise<Buffer> {
  let bytes = Buffer.alloc(0)
  const closed = once(socket, 'close').then(() => {
    throw new Error('the broker closes the connection: it may want TLS, or none')
  })
  closed.catch(() => {}) // it is closed by us in the end
  for (;;) {
    const [chunk] = (await Promise.race([once(socket, 'data'), closed])) as [Buffer]
    bytes = Buffer.concat([bytes, chunk])
    if (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) return bytes.subarray(8) // size, correlation
  }
}

/** ApiVersions in version 3: the first that tells the features of the cluster (KIP-584). Allowed to everybody. */
const apiVersionsRequest = (() => {
  const text = (value: string) => [value.length + 1, ...Buffer.from(value)]
  const name = Buffer.from('carillon')
  const body = [0, 18, 0, 3, 0, 0, 0, 1, 0, name.length, ...name, 0, ...text('carillon'), ...text('1'), 0]
  return Buffer.from([0, 0, 0, body.length, ...body])
})()

/** The greatest `metadata.version` of each release: https://github.com/apache/kafka, MetadataVersion.java. */
const releases: [number, string][] = [
  [7, '3.3'],
  [8, '3.4'],
  [11, '3.5'],
  [14, '3.6'],
  [19, '3.7'],
  [20, '3.8'],
  [21, '3.9'],
  [25, '4.0'],
  [27, '4.1'],
  [29, '4.2'],
  [30, '4.3'],
]

/** Out of the supported features, which are the first tagged field of the answer. */
export function releaseOf(answer: Buffer): string | undefined {
  let at = 2
  const varint = () => {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = answer.readUInt8(at++)
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
    throw new RangeError('a number without end')
  }
  if (answer.readInt16BE(0) !== 0) return undefined // it knows no version 3: before 2.4
  for (let keys = varint() - 1; keys > 0; keys--) {
    at += 6
    if (varint() !== 0) return undefined
  }
  at += 4
  for (let fields = varint(); fields > 0; fields--) {
    const [tag, size] = [varint(), varint()]
    const end = at + size
    for (let features = tag === 0 ? varint() - 1 : 0; features > 0; features--) {
      const length = varint() - 1
      const name = answer.toString('utf8', at, at + length)
      const most = answer.readInt16BE(at + length + 2)
      at += length + 4
      if (varint() !== 0) return undefined
      if (name !== 'metadata.version') continue
      const [, newest] = releases.at(-1)!
      return releases.find(([level]) => most <= level)?.[1] ?? `newer than ${newest}`
    }
    at = end
  }
  return undefined
}
