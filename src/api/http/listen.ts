import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import type { Config } from '../../config/config.ts'
import { OperationalError } from '../../platform/errors.ts'

/** Listens where the configuration says. Throws OperationalError PORT_IN_USE or LISTEN_FAILED. */
export function listen(
  server: Server,
  config: Pick<Config, 'HOST' | 'PORT'>,
  logger: Logger,
): Promise<{ url: string; port: number }> {
  const { HOST, PORT } = config
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const place = `${HOST}:${PORT}`
      reject(
        error.code === 'EADDRINUSE'
          ? new OperationalError('PORT_IN_USE', `${place} is in use; choose another PORT`, { cause: error })
          : new OperationalError('LISTEN_FAILED', `cannot listen on ${place}: ${error.message}`, { cause: error }),
      )
    })
    server.listen(PORT, HOST, () => {
      server.removeAllListeners('error')
      server.on('error', (error) => logger.error({ err: error }, 'the HTTP server failed'))
      const { port } = server.address() as AddressInfo
      const host = HOST === '0.0.0.0' ? '127.0.0.1' : HOST.includes(':') ? `[${HOST}]` : HOST
      resolve({ url: `http://${host}:${port}`, port })
    })
  })
}
