import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAfterSnapshot } from '../../../src/pipeline/stream/snapshot.ts'
import { testDatabase } from '../../support/database.ts'

const owner = (await testDatabase()).pool()

test('what a snapshot shows came before it, as Postgres itself says', async () => {
  const snapshots = ['10:20:10,14,19', '10:10:', '8589934602:8589934610:8589934602,8589934605']
  for (const snapshot of snapshots) {
    const from = BigInt(snapshot.split(':')[0]!) - 3n
    for (let xid = from; xid < from + 20n; xid++) {
      const { rows } = await owner.query(
        'select pg_visible_in_snapshot($1::text::xid8, $2::text::pg_snapshot) as visible',
        [String(xid), snapshot],
      )
      assert.equal(isAfterSnapshot(String(xid), snapshot), !rows[0].visible, `${xid} in ${snapshot}`)
    }
  }
})
