import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchLeadEnd } from '../../src/workers/lead-end.ts'

const never = new Promise<never>(() => {})

function watch(stopPatienceMs = 0) {
  const [lost, stopping] = [new AbortController(), new AbortController()]
  const end = watchLeadEnd({
    lost: lost.signal,
    lostError: () => new Error('lost'),
    stopping: stopping.signal,
    stopPatienceMs,
    stopError: () => new Error('stopped'),
  })
  return { lost, stopping, end }
}

test('while the lead lasts a wait gives what the work gives', async () => {
  const { end } = watch()
  assert.equal(await end.answered(Promise.resolve(7)), 7)
  await assert.rejects(end.answered(Promise.reject(new Error('no'))), /no/)
  end.close()
})

test('a lost lead ends every wait at once, and those that begin later', async () => {
  const { end, lost } = watch()
  const waits = [end.answered(never), end.answered(never)]
  lost.abort()
  for (const wait of [...waits, end.answered(never)]) await assert.rejects(wait, /lost/)
  end.close()
})

test('a stop ends a wait when the patience is over, and a lost lead before that', async () => {
  const { end, stopping } = watch()
  const wait = end.answered(never)
  stopping.abort()
  await assert.rejects(wait, /stopped/)
  const patient = watch(60_000)
  patient.stopping.abort()
  const other = patient.end.answered(never)
  patient.lost.abort()
  await assert.rejects(other, /lost/)
  end.close()
  patient.end.close()
})

test('a signal that was given before anybody watched counts', async () => {
  const lost = new AbortController()
  lost.abort()
  const end = watchLeadEnd({
    lost: lost.signal,
    lostError: () => new Error('lost'),
    stopping: new AbortController().signal,
    stopPatienceMs: 0,
    stopError: () => new Error('stopped'),
  })
  await assert.rejects(end.answered(never), /lost/)
})
