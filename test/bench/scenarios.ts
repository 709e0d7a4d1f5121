import type { Scenario } from './scenario.ts'

interface Entry {
  /** Only when it runs, so that a scenario costs the others nothing. */
  load(): Promise<Scenario>
  /** It uses the broker, which stays up for its neighbours that use it too. */
  kafka?: true
  /** Too long for a run that names nothing. */
  onlyByName?: true
}

/** Every scenario, in the order of a run. A line here makes one known to the options, the run and the report. */
export const scenarioTable = {
  pipeline: { load: async () => (await import('./scenarios/pipeline.ts')).pipeline, kafka: true },
  'held-snapshot': { load: async () => (await import('./scenarios/held-snapshot.ts')).heldSnapshot, kafka: true },
  burst: { load: async () => (await import('./scenarios/burst.ts')).burst, kafka: true },
  'fan-out': { load: async () => (await import('./scenarios/fan-out.ts')).fanOut, kafka: true },
  fairness: { load: async () => (await import('./scenarios/fairness.ts')).fairness, kafka: true },
  soak: { load: async () => (await import('./scenarios/soak.ts')).soak, kafka: true, onlyByName: true },
  growth: { load: async () => (await import('./scenarios/growth.ts')).growth, onlyByName: true },
  relay: { load: async () => (await import('./scenarios/relay.ts')).relay, kafka: true },
  idle: { load: async () => (await import('./scenarios/idle.ts')).idle, kafka: true },
  'accept-single': { load: async () => (await import('./scenarios/accept-single.ts')).acceptSingle },
  'accept-bulk': { load: async () => (await import('./scenarios/accept-bulk.ts')).acceptBulk },
  'sql-notify': { load: async () => (await import('./scenarios/sql-notify.ts')).sqlNotify },
  backlog: { load: async () => (await import('./scenarios/backlog.ts')).backlog },
  'by-id': { load: async () => (await import('./scenarios/by-id.ts')).byId },
  decisions: { load: async () => (await import('./scenarios/decisions.ts')).decisions, kafka: true },
  rules: { load: async () => (await import('./scenarios/rules.ts')).rules },
  inbox: { load: async () => (await import('./scenarios/inbox.ts')).inbox },
  'pg-boss': { load: async () => (await import('./scenarios/pg-boss.ts')).pgBoss },
  'graphile-worker': { load: async () => (await import('./scenarios/graphile-worker.ts')).graphileWorker },
  bullmq: { load: async () => (await import('./scenarios/bullmq.ts')).bullmq },
  'copy-floor': { load: async () => (await import('./scenarios/copy-floor.ts')).copyFloor },
} satisfies Record<string, Entry>

export type ScenarioName = keyof typeof scenarioTable

const entries: Record<ScenarioName, Entry> = scenarioTable

export const scenarioNames = Object.keys(scenarioTable) as ScenarioName[]

/** What runs when nothing is named. */
export const usualNames = scenarioNames.filter((name) => !entries[name].onlyByName)

export const loadScenario = (name: ScenarioName): Promise<Scenario> => entries[name].load()

export const usesKafka = (name: ScenarioName | undefined): boolean => name !== undefined && entries[name].kafka === true
