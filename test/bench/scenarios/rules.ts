import type { Rule } from '../../../src/domain/rule.ts'
import { compileRules } from '../../../src/domain/rule-index.ts'
import { type EventIntent, matchEvents } from '../../../src/pipeline/match/match-events.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany, type TableLine } from '../scenario.ts'
import { perSecond, spreadOf } from '../statistics.ts'

const ruleCount = 1_000
const eventCount = 10_000
/** Events of so many types; each has ten of the rules to itself. */
const kinds = 100
const now = new Date('2026-01-15T10:00:00Z')

/** How the rules say which events they are about. */
const ways: [name: string, say: (kind: number, place: number) => Partial<Rule>][] = [
  ['types listed', (kind) => ({ eventTypes: [`shop.k${kind}.*`], eventPattern: 'event.data.total > 100' })],
  ['types in CEL', (kind) => ({ eventPattern: `event.type == "shop.k${kind}.done" && event.data.total > 100` })],
  ['no types', (_kind, place) => ({ eventPattern: `event.data.total > ${100 + place}` })],
]

const ruleOf = (place: number, said: Partial<Rule>): Rule => ({
  id: `rule-${place}`,
  name: `rule ${place}`,
  version: 1,
  eventPattern: '',
  priority: 1,
  channels: ['email'],
  selector: { userIds: ['ann'] },
  templateVars: { total: { cel: 'event.data.total * 2' } },
  enabled: true,
  ...said,
})

const eventOf = (place: number): EventIntent => ({
  id: `event-${place}`,
  type: `shop.k${place % kinds}.done`,
  priority: 1,
  acceptedAt: now,
  payload: { data: { total: place % 300, region: 'eu' }, metadata: {}, event: { domain: 'shop' } },
})

/** 1,000 rules asked of 10,000 events, in chunks of a hundred, on one core and without a database. */
export async function rules({ options, progress }: ScenarioContext): Promise<ScenarioResult> {
  const events = Array.from({ length: eventCount }, (_, place) => eventOf(place))
  const lines: TableLine[] = []
  const faults: string[] = []
  for (const [name, say] of ways) {
    const all = Array.from({ length: ruleCount }, (_, place) => ruleOf(place, say(place % kinds, place)))
    const begun = performance.now()
    const compiled = compileRules(all)
    const compileMs = Math.round(performance.now() - begun)
    // Without types every rule is asked of every event.
    const few = name === 'no types' ? events.slice(0, options.quick ? 200 : 1_000) : events
    const rates: number[] = []
    let found = 0
    for (let round = 0; round < options.rounds; round++) {
      progress.begin(`rules: ${name}, round ${round + 1} of ${options.rounds}`)
      const start = performance.now()
      found = 0
      for (let from = 0; from < few.length; from += 100) {
        const { matched, health } = matchEvents(few.slice(from, from + 100), compiled, now)
        found += matched.length
        if (health.faults.length > 0) faults.push(`${name}: ${health.faults[0]!.message}`)
      }
      rates.push(perSecond(few.length, performance.now() - start))
    }
    const spread = spreadOf(rates)
    const remark = `${(found / few.length).toFixed(1)} matches an event; ${ruleCount} rules compiled in ${compileMs} ms`
    lines.push({ name, perSecond: spread.median, unit: 'events', spread: spreadIfMany(options.rounds, spread), remark })
  }
  const [first, ...more] = lines
  return {
    unit: 'events',
    perSecond: first!.perSecond ?? null,
    spread: first!.spread,
    remark: `${first!.name}; ${first!.remark}`,
    more,
    faults,
  }
}
