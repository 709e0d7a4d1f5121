import assert from 'node:assert/strict'
import { test } from 'node:test'
import { firstIdAt, idTimeMs } from '../../../src/domain/ids.ts'
import { feedStart, type StatusEvent } from '../../../src/domain/status-event.ts'
import { type FeedPeriod, readPeriod } from '../../../src/pipeline/stream/read-period.ts'
import { inTransaction, run, statement } from '../../../src/platform/db.ts'
import { testDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { appendEvents, newNotification, newTenant } from './append-events.ts'

const database = await testDatabase()
const owner = database.pool()
const worker = database.pool('carillon_worker')

async function all(period: FeedPeriod, pageEvents?: number): Promise<StatusEvent[]> {
  const events: StatusEvent[] = []
  for await (const page of readPeriod(worker, period, pageEvents)) events.push(...page)
  return events
}
const idsOf = (events: StatusEvent[]) => events.map(({ id }) => id)
const lastHour = () => ({ from: new Date(Date.now() - 3_600_000), to: new Date(Date.now() + 60_000) })

test('a period is read whole and in order by pages of any size, by two readers at once, and without what is still open', async () => {
  const tenantId = newTenant()
  const written: string[] = []
  for (let round = 0; round < 20; round++) {
    const subjects = Array.from({ length: 1 + (round % 4) }, newNotification)
    written.push(
      ...(await appendEvents(
        owner,
        subjects.map((subjectId) => ({ tenantId, subjectId })),
      )),
    )
  }
  await eventually(async () => assert.deepEqual(idsOf(await all(lastHour())), written))
  const open = await owner.connect()
  await open.query('begin')
  await appendEvents(open, [{ tenantId, subjectId: newNotification() }])
  await appendEvents(owner, [{ tenantId, subjectId: newNotification() }])
  const [small, large] = await Promise.all([all(lastHour(), 3), all(lastHour(), 1_000)])
  assert.deepEqual(idsOf(small), written)
  assert.deepEqual(idsOf(large), written)
  await open.query('rollback')
  open.release()
  assert.deepEqual(idsOf(await all({ ...lastHour(), tenantId: newTenant() })), [])
  const middle = idTimeMs(written[10]!)
  const expected = written.filter((id) => idTimeMs(id) < middle)
  assert.deepEqual(idsOf(await all({ ...lastHour(), to: new Date(middle) })), expected)
})

test('the plan opens the partitions of the period alone, by status_log_feed, and sorts nothing', async () => {
  await owner.query(`select carillon.ensure_partitions('status_log', now() - interval '20 days', 22)`)
  const { text } = statement('stream/read_period')
  const noon = Math.floor(Date.now() / 86_400_000) * 86_400_000 - 4 * 86_400_000 + 43_200_000
  const plan = await inTransaction(worker, async (trx) => {
    await run(trx, statement('stream/read_horizon'), [])
    await trx.query(`prepare period (xid8, uuid, int, uuid, uuid, uuid) as ${text}`)
    const bounds = `'${firstIdAt(noon)}', '${firstIdAt(noon + 86_400_000)}'`
    const { rows } = await trx.query(`explain execute period ('5', '${feedStart.id}', 1000, ${bounds}, null)`)
    return rows.map((row: { 'QUERY PLAN': string }) => row['QUERY PLAN'])
  })
  const said = plan.join('\n')
  assert.equal(plan.filter((line) => /Index Scan using status_log_\d{8}_xid_id_idx/.test(line)).length, 2, said)
  assert.equal(plan.filter((line) => /Index Cond: .*ROW\(xid, id\) > .*id >= .*id < /.test(line)).length, 2, said)
  assert.match(said, /Subplans Removed/)
  assert.ok(!plan.some((line) => /\bSort\b(?! Key)|Seq Scan|Bitmap/.test(line)), said)
})
