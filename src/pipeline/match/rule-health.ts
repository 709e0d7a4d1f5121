import type pg from 'pg'
import type { Logger } from 'pino'
import type { Clock } from '../../platform/clock.ts'
import { inTransaction, run, statement } from '../../platform/db.ts'
import type { IdSource } from '../../platform/id-source.ts'
import type { Metrics } from '../../platform/metrics.ts'
import { plainArray, textArray } from '../../platform/sql-array.ts'
import { appendStatusEvents } from '../../store/status-events.ts'
import type { RuleFault, RuleHealthNotes } from './match-events.ts'

const lockSql = statement('match/lock_rules')
const noteSql = statement('match/note_rule_health')

/** Notes how the expressions of rules do; for people, and to switch off rules that fail again and again. */
export interface RuleHealth {
  /** To be told of every chunk of events, once it is planned. `rules` says which version of a rule was asked. */
  observe(tenantId: string, notes: RuleHealthNotes, rules: { get(id: string): VersionOf | undefined }): void
  /** Writes what has gathered. */
  close(): Promise<void>
}

interface VersionOf {
  rule: { version: number }
}

export interface RuleHealthOptions {
  pool: pg.Pool
  clock: Clock
  ids: Pick<IdSource, 'batchId'>
  metrics?: Pick<Metrics, 'ruleErrors'>
  /** With so many faults in a row a rule is switched off. */
  errorStreak: number
  /** How long observations gather; a rule that has come to its end is not waited for. Default 5 s. */
  gatherMs?: number
  logger: Pick<Logger, 'error' | 'warn'>
}

interface Note {
  tenantId: string
  ruleId: string
  version: number
  streak: number
  total: number
  answered: boolean
  whole: boolean
  at?: Date
  last?: RuleFault
}

interface SwitchedOff extends Record<string, unknown> {
  tenant_id: string
  id: string
  name: string
  version: number
  code: string
  part: string
}

const maxMessage = 500

/** What a crash loses of it is not missed: a rule that fails goes on failing, and is counted then. */
export function createRuleHealth(options: RuleHealthOptions): RuleHealth {
  const { pool, clock, ids, errorStreak, logger } = options
  let notes = new Map<string, Note>()
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()

  function noteOf(tenantId: string, ruleId: string, version: number): Note {
    const key = `${tenantId}/${ruleId}/${version}`
    let note = notes.get(key)
    if (!note) {
      note = { tenantId, ruleId, version, streak: 0, total: 0, answered: false, whole: false }
      notes.set(key, note)
    }
    return note
  }

  async function write(): Promise<void> {
    timer = undefined
    const taken = [...notes.values()]
    notes = new Map()
    if (taken.length === 0) return
    try {
      const off = await inTransaction(pool, async (trx) => {
        const locked = await run<{ id: string }>(trx, lockSql, lockArrays(taken))
        if (locked.length === 0) return []
        const wanted = new Set(locked.map(({ id }) => id))
        const noted = taken.filter(({ ruleId }) => wanted.has(ruleId))
        const failing = await run<SwitchedOff>(trx, noteSql, [...arraysOf(noted), clock.now(), errorStreak])
        for (const [tenantId, rules] of Map.groupBy(failing, (rule) => rule.tenant_id)) {
          await appendStatusEvents(trx, tenantId, rules.map(eventOf), ids, clock.now())
        }
        return failing
      })
      for (const { tenant_id: tenantId, id, code, part } of off) {
        logger.error({ tenantId, ruleId: id, code, part }, 'a rule was switched off: its expressions fail')
      }
    } catch (error) {
      logger.warn({ err: error, rules: taken.length }, 'how rules do could not be noted')
    }
  }

  const writeSoon = (ms: number) =>
    setTimeout(() => {
      writing = writing.then(write)
    }, ms)

  function gather(): void {
    if (notes.size > 0) timer ??= writeSoon(options.gatherMs ?? 5_000)
  }

  function noteFaults(tenantId: string, faults: readonly RuleFault[]): void {
    for (const fault of faults) {
      options.metrics?.ruleErrors.inc({ reason: fault.code })
      const note = noteOf(tenantId, fault.ruleId, fault.version)
      note.total++
      note.last = fault
      note.at = clock.now()
    }
  }

  return {
    observe(tenantId, { faults, streaks, answered, whole }, rules) {
      for (const ruleId of answered) {
        const version = rules.get(ruleId)?.rule.version
        if (version === undefined) continue
        const note = noteOf(tenantId, ruleId, version)
        const isWhole = whole.has(ruleId)
        if (isWhole || note.last?.part === 'eventPattern') note.streak = 0
        note.answered = true
        note.whole ||= isWhole
      }
      noteFaults(tenantId, faults)
      let isUrgent = false
      for (const [ruleId, streak] of streaks) {
        const version = faults.find((fault) => fault.ruleId === ruleId)?.version
        if (version === undefined) continue
        const note = noteOf(tenantId, ruleId, version)
        note.streak += streak
        isUrgent ||= note.streak >= errorStreak
      }
      if (isUrgent) {
        clearTimeout(timer)
        timer = writeSoon(0)
      } else gather()
    },
    async close() {
      clearTimeout(timer)
      writing = writing.then(write)
      await writing
    },
  }
}

const lockArrays = (notes: readonly Note[]): string[] => [
  plainArray(notes, ({ tenantId }) => tenantId),
  plainArray(notes, ({ ruleId }) => ruleId),
  plainArray(notes, ({ total }) => total),
]

function arraysOf(notes: readonly Note[]): string[] {
  return [
    plainArray(notes, ({ tenantId }) => tenantId),
    plainArray(notes, ({ ruleId }) => ruleId),
    plainArray(notes, ({ version }) => version),
    plainArray(notes, ({ streak }) => streak),
    plainArray(notes, ({ total }) => total),
    plainArray(notes, ({ answered }) => answered),
    plainArray(notes, ({ whole }) => whole),
    plainArray(notes, ({ at }) => at?.toISOString()),
    textArray(notes, ({ last }) => last?.code),
    textArray(notes, ({ last }) => last?.part),
    textArray(notes, ({ last }) => last?.message.slice(0, maxMessage)),
    plainArray(notes, ({ last }) => last?.intentId),
  ]
}

const eventOf = ({ id, name, version, code, part }: SwitchedOff) => ({
  subjectId: id,
  type: 'carillon.rule.disabled',
  data: { reason: 'failing', attributes: { rule: name, version: String(version), code, part } },
})
