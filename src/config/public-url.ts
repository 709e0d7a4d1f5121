import type { Config } from './config.ts'

/** How people reach us from outside; undefined where nobody knows. */
export function publicUrlOf(config: Pick<Config, 'PUBLIC_URL' | 'NODE_ENV' | 'HOST' | 'PORT'>): string | undefined {
  const { PUBLIC_URL, NODE_ENV, HOST, PORT } = config
  if (PUBLIC_URL !== undefined) return PUBLIC_URL
  if (NODE_ENV === 'production' || PORT === 0) return undefined
  return `http://${HOST === '0.0.0.0' ? '127.0.0.1' : HOST.includes(':') ? `[${HOST}]` : HOST}:${PORT}`
}
