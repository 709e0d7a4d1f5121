import type { Config } from '../config/config.ts'
import { createLogger } from '../platform/logger.ts'
import type { AppPort, AppRole, RunningApp } from './app-port.ts'
import type { Closing } from './closing.ts'
import type { Terminal } from './terminal.ts'

/** What a start goes by, in production and in development. */
export interface Starting {
  app: AppPort
  config: Config
  role: AppRole
  terminal: Terminal
  closing: Closing
}

/** Starts the app, and has it drained at the end. */
export async function startPart({ app, config, role, closing }: Starting, databaseUrl: string): Promise<RunningApp> {
  const started = await app.startApp({ config, databaseUrl, role, logger: createLogger(config.LOG_LEVEL) })
  closing.add(() => started.stop())
  return started
}

/** The line that tools wait for. */
export function sayReady({ terminal, role }: Starting, { url }: RunningApp): void {
  terminal.document({ event: 'ready', url: url ?? null, role })
  terminal.line(`ready ${url ?? role}`)
}
