import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { createPollPause, type PollPauseOptions } from '../../../src/pipeline/stream/poll-pause.ts'

/** A pause on a clock that moves when it is told to, and a bell. */
function paused(options: Partial<PollPauseOptions>) {
  mock.timers.reset()
  mock.timers.enable({ apis: ['setTimeout'] })
  let ring = () => {}
  const wake = {
    on(_topic: string, listener: () => void) {
      ring = listener
      return () => {}
    },
  }
  const pause = createPollPause({ idlePollMs: 1_000, topic: 'log', wake, ...options })
  /** Whether it is over after so many milliseconds. */
  const isOver = async (wait: Promise<void>, afterMs: number) => {
    let over = false
    void wait.then(() => {
      over = true
    })
    for (let ms = 0; ms < afterMs; ms++) {
      await Promise.resolve()
      mock.timers.tick(1)
    }
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
    return over
  }
  return { pause, isOver, ring: () => ring() }
}

test('rings do not shorten the gap, and those that come in it are answered at its end', async () => {
  const { pause, isOver, ring } = paused({ gapMs: 12 })
  const wait = pause.wait(false)
  for (let n = 0; n < 100; n++) ring()
  assert.equal(await isOver(wait, 11), false)
  assert.equal(await isOver(wait, 1), true)
})

test('after the gap a ring is answered at once', async () => {
  const { pause, isOver, ring } = paused({ gapMs: 12 })
  for (let turn = 0; turn < 3; turn++) await isOver(pause.wait(false), 1_000)
  const wait = pause.wait(false)
  assert.equal(await isOver(wait, 20), false)
  ring()
  assert.equal(await isOver(wait, 0), true)
})

test('whoever calls wakeUp need not wait for the gap', async () => {
  const { pause, isOver } = paused({ gapMs: 12 })
  const wait = pause.wait(false)
  pause.wakeUp()
  assert.equal(await isOver(wait, 0), true)
})

test('without a gap every ring is answered at once', async () => {
  const { pause, isOver, ring } = paused({})
  const wait = pause.wait(false)
  ring()
  assert.equal(await isOver(wait, 0), true)
})
