import type { Config } from './config.ts'

/**
 * How people reach us from outside; undefined where nobody knows, so that no message leads nowhere. `listening`: where this
 * process serves the API.
 */
export function publicUrlOf(
  config: Pick<Config, 'PUBLIC_URL' | 'NODE_ENV' | 'HOST' | 'PORT'>,
  listening?: string,
): string | undefined {
  const { PUBLIC_URL, NODE_ENV, HOST, PORT } = config
  if (PUBLIC_URL !== undefined) return PUBLIC_URL
  if (NODE_ENV === 'production') return undefined
  if (listening !== undefined || PORT === 0) return listening
  return `http://${HOST === '0.0.0.0' ? '127.0.0.1' : HOST.includes(':') ? `[${HOST}]` : HOST}:${PORT}`
}
