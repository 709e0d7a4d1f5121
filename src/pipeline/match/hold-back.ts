import { type ChunkBudget, createChunkBudget } from '../../domain/expressions/chunk-budget.ts'
import {
  type Asked,
  type CompiledInhibition,
  inhibited,
  type KnownAlert,
  type Mark,
  readAlerts,
  type Said,
} from '../../domain/inhibitions.ts'
import {
  type Alert,
  activeSilences,
  type CompiledSilence,
  type HeldBack,
  heldBy,
  holds,
} from '../../domain/silences.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { nextTurn } from '../../platform/next-turn.ts'

const noteSql = statement('match/note_alerts')

/** An event or a direct request, as matchers see it; `eventId` as the caller named it. */
export interface AlertEvent extends Alert {
  eventId?: string
}

/** What a tenant holds back. */
export interface HoldBackSettings {
  silences: readonly CompiledSilence[]
  inhibitions: readonly CompiledInhibition[]
}

/**
 * Which of a chunk's events are held back, and by what, by their intents' ids. What they say of alerts is noted. One statement,
 * and none where no inhibition is concerned. Call it with every event of the chunk, whether or not a rule wants it.
 */
export async function holdBack(
  on: Queryable,
  tenantId: string,
  events: readonly AlertEvent[],
  settings: HoldBackSettings,
  now: Date,
): Promise<Map<string, HeldBack>> {
  const budget = createChunkBudget()
  const byAlerts = await noteAlerts(on, tenantId, events, settings.inhibitions, now, budget)
  return new Map([...byAlerts, ...(await silencedInTurns(settings.silences, events, now, budget))])
}

/** The same for what has waited: nothing is noted, and it is asked how things stand by now. */
export async function stillHeldBack(
  on: Queryable,
  tenantId: string,
  events: readonly AlertEvent[],
  settings: HoldBackSettings,
  now: Date,
): Promise<Map<string, HeldBack>> {
  const budget = createChunkBudget()
  const { asked } = await readInTurns(settings.inhibitions, events, budget)
  const known = asked.length > 0 ? await exchange(on, tenantId, [], asked, new Map(), now) : []
  const bySilences = await silencedInTurns(settings.silences, events, now, budget)
  return new Map([...inhibited(asked, known, now, 'now'), ...bySilences])
}

async function silencedInTurns(
  silences: HoldBackSettings['silences'],
  events: readonly AlertEvent[],
  now: Date,
  budget: ChunkBudget,
): Promise<[string, HeldBack][]> {
  const active = activeSilences(silences, now)
  const held: [string, HeldBack][] = []
  for (const { id, scope } of active.length > 0 ? events : []) {
    for (const each of active) {
      const isHeld = budget.ask(each.silence.id, () => holds(each.matcher, scope))
      if (budget.isTurnOver()) await nextTurn()
      if (!isHeld) continue
      held.push([id, heldBy(each)])
      break
    }
  }
  return held
}

async function readInTurns(
  inhibitions: HoldBackSettings['inhibitions'],
  events: readonly AlertEvent[],
  budget: ChunkBudget,
): Promise<{ said: Said[]; asked: Asked[] }> {
  const read: { said: Said[]; asked: Asked[] } = { said: [], asked: [] }
  for (const inhibition of inhibitions) {
    for (const event of events) {
      const { said, asked } = readAlerts([inhibition], [event], budget)
      read.said.push(...said)
      read.asked.push(...asked)
      if (budget.isTurnOver()) await nextTurn()
    }
  }
  return read
}

/** Notes what events say of alerts, and gives those that an open alert holds back. */
export async function noteAlerts(
  on: Queryable,
  tenantId: string,
  events: readonly AlertEvent[],
  inhibitions: readonly CompiledInhibition[],
  now: Date,
  budget: ChunkBudget = createChunkBudget(),
): Promise<Map<string, HeldBack>> {
  if (inhibitions.length === 0 || events.length === 0) return new Map()
  const { said, asked } = await readInTurns(inhibitions, events, budget)
  if (said.length === 0 && asked.length === 0) return new Map()
  const eventIds = new Map(events.map(({ id, eventId }) => [id, eventId]))
  const before = await exchange(on, tenantId, said, asked, eventIds, now)
  const ofChunk = said.map(({ inhibition, key, alert, id, opens }): KnownAlert => {
    const expiresAt = expiryOf(inhibition.openForMs, now)
    return { inhibitionId: inhibition.id, key, alert, marks: [{ id, opens }], expiresAt }
  })
  return inhibited(asked, [...before, ...ofChunk], now)
}

const expiryOf = (openForMs: number | undefined, now: Date) =>
  openForMs === undefined ? undefined : new Date(now.getTime() + openForMs)

interface Row extends Record<string, unknown> {
  inhibition_id: string
  key: string
  alert: string
  opened_by: string | null
  fired_by: string | null
  closed_by: string | null
  expires_at: Date | null
}

async function exchange(
  on: Queryable,
  tenantId: string,
  said: readonly Said[],
  asked: readonly Asked[],
  eventIds: ReadonlyMap<string, string | undefined>,
  now: Date,
): Promise<KnownAlert[]> {
  const marks = [...Map.groupBy(said, (one) => JSON.stringify([one.inhibition.id, one.key, one.alert])).values()].map(
    (ofOne) => {
      const inOrder = ofOne.toSorted((a, b) => (a.id < b.id ? -1 : 1))
      const closed = inOrder.findLast(({ opens }) => !opens)
      const fired = inOrder.findLast(({ opens }) => opens)
      // Of the last time that it was opened; before it was over, if it is.
      const opened = inOrder.find(
        ({ id, opens }) => opens && (!closed || !fired || fired.id < closed.id || id > closed.id),
      )
      return { ...ofOne[0]!, opened, fired, closed }
    },
  )
  const rows = await run<Row>(on, noteSql, [
    tenantId,
    now,
    marks.map(({ inhibition }) => inhibition.id),
    marks.map(({ key }) => key),
    marks.map(({ alert }) => alert),
    marks.map(({ opened }) => opened?.id),
    marks.map(({ fired }) => fired?.id),
    marks.map(({ closed }) => closed?.id),
    marks.map(({ opened }) => opened && eventIds.get(opened.id)),
    marks.map(({ fired, inhibition }) => fired && expiryOf(inhibition.openForMs, now)),
    [...new Set(asked.map(({ inhibition }) => inhibition.id))],
    [...new Set(asked.map(({ key }) => key))],
  ])
  return rows.map((row) => ({
    inhibitionId: row.inhibition_id,
    key: row.key,
    alert: row.alert,
    marks: marksOf(row),
    expiresAt: row.expires_at ?? undefined,
  }))
}

function marksOf({ opened_by, fired_by, closed_by }: Row): Mark[] {
  const mark = (id: string | null, opens: boolean) => (id ? [{ id, opens }] : [])
  return [...mark(opened_by, true), ...mark(fired_by, true), ...mark(closed_by, false)]
}
