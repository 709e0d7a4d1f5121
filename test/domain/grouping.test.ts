import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Alert, type AlertGroup, afterFlush, groupStep } from '../../src/domain/grouping.ts'

const openedAt = new Date('2026-11-20T10:00:00Z')
const at = (seconds: number) => new Date(openedAt.getTime() + seconds * 1_000)
const times = { waitMs: 30_000, intervalMs: 300_000, repeatMs: 3_600_000 }
const fresh: AlertGroup = { ...times, openedAt }
const told: AlertGroup = { ...fresh, flushedAt: at(30) }

/** `a` fires and was not told of, `A` fires and was; `-a`, `-A` are resolved; `!` ends all before it. */
const alerts = (...words: string[]): Alert[] =>
  words.map((word, index) => {
    const letter = word.replace('-', '')
    return {
      ref: word === '!' ? `end${index}` : letter.toLowerCase(),
      resolved: word.startsWith('-') || word === '!',
      told: letter !== letter.toLowerCase(),
      newest: String(index),
      endsAll: word === '!',
    }
  })

const cases: [string, AlertGroup, string[], number, string][] = [
  ['the first alert waits for others', fresh, ['a'], 0, 'wait until 30'],
  ['one more alert does not move the first wait', fresh, ['a', 'b'], 29, 'wait until 30'],
  ['after the first wait all of it is told', fresh, ['a', 'b'], 30, 'flush a,b'],
  ['what is resolved before anybody heard of it is not told', fresh, ['-a'], 30, 'drop'],
  ['an end before the first wait ends it in silence', fresh, ['a', '!'], 30, 'drop'],
  ['some of it resolved before the first wait: the rest is told', fresh, ['a', '-b'], 30, 'flush a'],
  ['without a change it is repeated', told, ['A'], 30 + 3_599, 'wait until 3630'],
  ['… after the repeat interval', told, ['A'], 30 + 3_600, 'flush a'],
  ['a new alert waits for the interval', told, ['A', 'b'], 31, 'wait until 330'],
  ['… and is told with the others', told, ['A', 'b'], 330, 'flush a,b'],
  ['a resolved alert is told after the interval', told, ['A', '-b'], 330, 'flush a'],
  ['the last resolved alert ends the group, and is told', told, ['-a'], 330, 'flush  ends'],
  ['… not before the interval', told, ['-a'], 329, 'wait until 330'],
  ['an end of all ends the group', told, ['A', 'B', '!'], 330, 'flush  ends'],
  ['what fires after an end of all burns', told, ['A', '!', 'b'], 330, 'flush b'],
  ['late: it is told at once', told, ['A', 'b'], 5_000, 'flush a,b'],
  ['nothing is left of it', told, [], 3_630, 'drop'],
]
for (const [name, group, words, seconds, expected] of cases) {
  test(name, () => {
    const step = groupStep(group, alerts(...words), at(seconds))
    const said = {
      wait: () => `wait until ${step.kind === 'wait' && (step.until.getTime() - openedAt.getTime()) / 1_000}`,
      flush: () => step.kind === 'flush' && `flush ${[...step.firing].sort()}${step.ends ? ' ends' : ''}`,
      drop: () => 'drop',
    }[step.kind]()
    assert.equal(said, expected)
  })
}

test('somebody who asks is told at once, and the group ends', () => {
  assert.deepEqual(groupStep(fresh, alerts('a'), at(1), true), { kind: 'flush', firing: new Set(['a']), ends: true })
  assert.deepEqual(groupStep(fresh, alerts('-a'), at(1), true), { kind: 'drop' })
})

test('a repeat that is shorter than the interval waits for the interval', () => {
  const eager = { ...times, repeatMs: 1 }
  assert.deepEqual(afterFlush(eager, at(0)), at(300))
  assert.equal(groupStep({ ...told, ...eager }, alerts('A'), at(329)).kind, 'wait')
})
