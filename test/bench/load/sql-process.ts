/** An application of another language, as Postgres sees it: plain clients that call carillon.notify, each call a transaction. */
import pg from 'pg'
import { serveParent } from '../child.ts'
import { monotonicMs, type Percentiles, percentilesOf, perSecond } from '../statistics.ts'
import { benchTemplate, dataOf, eventType, keyOf, recipientOf } from './load-item.ts'

export interface SqlTarget {
  /** Of a login that is bound to the tenant. */
  databaseUrl: string
  run: string
  clients: number
}

export interface SqlReport extends Percentiles {
  perSecond: number
  calls: number
}

const callSql = `select carillon.notify(type => $1, recipient => $2, template => $3, data => $4, channels => '{email}',
  category => 'transactional', idempotency_key => $5) as id`

let clients: pg.Client[] = []
let run = ''
let number = 0

async function notify(client: pg.Client): Promise<void> {
  const item = { number: number++, phase: 0, intendedMs: monotonicMs(), run }
  const recipient = JSON.stringify(recipientOf(item))
  await client.query(callSql, [eventType, recipient, benchTemplate, JSON.stringify(dataOf(item)), keyOf(item)])
}

serveParent({
  async aim(target: SqlTarget) {
    run = target.run
    clients = Array.from({ length: target.clients }, () => new pg.Client({ connectionString: target.databaseUrl }))
    await Promise.all(clients.map((client) => client.connect()))
  },
  async call({ seconds, rampMs }: { seconds: number; rampMs: number }): Promise<SqlReport> {
    const answersMs: number[] = []
    const fromMs = monotonicMs() + rampMs
    const endMs = fromMs + seconds * 1_000
    const before = number
    let counted = 0
    async function callOn(client: pg.Client): Promise<void> {
      for (let now = monotonicMs(); now < endMs; ) {
        const calledMs = now
        await notify(client)
        now = monotonicMs()
        if (now < fromMs || now >= endMs) continue
        counted++
        answersMs.push(now - calledMs)
      }
    }
    await Promise.all(clients.map(callOn))
    return { perSecond: perSecond(counted, endMs - fromMs), calls: number - before, ...percentilesOf(answersMs) }
  },
  async stop() {
    await Promise.all(clients.map((client) => client.end()))
  },
})
