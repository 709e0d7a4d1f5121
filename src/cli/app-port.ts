import type { Config } from '../config/config.ts'
import type { Retention } from '../maintenance/partitions.ts'
import type { Logger } from '../platform/logger.ts'

/** Which part of the service a process is. */
export const roles = ['all', 'api', 'worker', 'relay', 'bridge'] as const
export type AppRole = (typeof roles)[number]

/** The service, as far as the command line runs it. */
export interface RunningApp {
  /** Where it serves: the API, or health and metrics alone; undefined where it serves nothing. */
  url?: string
  /** Takes nothing new, finishes or hands back what is under way, closes everything. */
  stop(): Promise<void>
}

/** What main.ts hands to the commands: they know how to ask for the service, not how it is put together. */
export interface AppPort {
  startApp(options: { config: Config; databaseUrl: string; role: AppRole; logger: Logger }): Promise<RunningApp>
  maintenanceSettings(config: Config): Promise<{ daysAhead: number; retention: Retention }>
}
