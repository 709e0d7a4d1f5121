import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiClient, FollowedNotification } from '../../src/cli/client/api-client.ts'
import { followNotification, isEnded } from '../../src/cli/client/follow-notification.ts'
import { readServerSentEvents } from '../../src/cli/client/server-sent-events.ts'

function streamOf(pieces: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece)
      controller.close()
    },
  })
}

async function eventsOf(...pieces: string[]) {
  const bytes = pieces.map((piece) => Buffer.from(piece, 'latin1'))
  const events = []
  for await (const event of readServerSentEvents(streamOf(bytes))) events.push(event)
  return events
}

const streams: { what: string; pieces: string[]; gives: { event: string; data: string }[] }[] = [
  {
    what: 'whole events',
    pieces: ['event: next\ndata: {"a":1}\n\nevent: complete\ndata:\n\n'],
    gives: [
      { event: 'next', data: '{"a":1}' },
      { event: 'complete', data: '' },
    ],
  },
  {
    what: 'an event in pieces',
    pieces: ['eve', 'nt: next\r', '\nda', 'ta: x\r\n\r', '\n'],
    gives: [{ event: 'next', data: 'x' }],
  },
  { what: 'comments between', pieces: [':\n\n', ': alive\n\ndata: x\n\n'], gives: [{ event: 'message', data: 'x' }] },
  { what: 'several lines of data', pieces: ['data: a\ndata: b\n\n'], gives: [{ event: 'message', data: 'a\nb' }] },
  { what: 'an event that broke off', pieces: ['data: a\n'], gives: [] },
]
for (const { what, pieces, gives } of streams) {
  test(`server-sent events: ${what}`, async () => assert.deepEqual(await eventsOf(...pieces), gives))
}

const notification = (
  status: string,
  deliveries: [string, string][] = [],
  channels = ['EMAIL'],
): FollowedNotification => ({
  id: '01900000-0000-7000-8000-000000000100',
  status,
  channels,
  scheduledAt: '2026-01-15T10:00:00Z',
  deliveries: deliveries.map(([channel, state]) => ({ channel, status: state, attempts: [] })),
})

const ends: { what: string; seen: FollowedNotification; ended: boolean; untilRetry?: boolean }[] = [
  { what: 'not planned yet', seen: notification('PENDING'), ended: false },
  {
    what: 'one of two sent',
    seen: notification(
      'SENT',
      [
        ['AUDIT', 'SENT'],
        ['EMAIL', 'QUEUED'],
      ],
      ['AUDIT', 'EMAIL'],
    ),
    ended: false,
  },
  {
    what: 'both sent',
    seen: notification(
      'SENT',
      [
        ['AUDIT', 'SENT'],
        ['EMAIL', 'SENT'],
      ],
      ['AUDIT', 'EMAIL'],
    ),
    ended: true,
  },
  {
    what: 'sent, and the fallback was not needed',
    seen: notification('SENT', [
      ['EMAIL', 'SENT'],
      ['SMS', 'QUEUED'],
    ]),
    ended: true,
  },
  {
    what: 'failed, and the fallback is under way',
    seen: notification('SENDING', [
      ['EMAIL', 'FAILED'],
      ['SMS', 'SENDING'],
    ]),
    ended: false,
  },
  { what: 'without a delivery', seen: notification('FAILED'), ended: true },
  { what: 'waiting for a retry', seen: notification('RETRYING', [['EMAIL', 'RETRYING']]), ended: false },
  {
    what: 'waiting for a retry, where that is enough',
    seen: notification('RETRYING', [['EMAIL', 'RETRYING']]),
    ended: true,
    untilRetry: true,
  },
]
for (const { what, seen, ended, untilRetry } of ends) {
  test(`${what}: ${ended ? 'that is the end' : 'not the end'}`, () => assert.equal(isEnded(seen, untilRetry), ended))
}

test('where the subscription breaks off, following goes on by looking again, and tells nothing twice', async () => {
  const sent = notification('SENT', [['EMAIL', 'SENT']])
  const looks = [notification('SENDING', [['EMAIL', 'SENDING']]), sent]
  const client: ApiClient = {
    send: async () => notification('PENDING'),
    read: async () => looks.shift()!,
    async *changes() {
      yield notification('SENDING', [['EMAIL', 'SENDING']])
      throw new TypeError('terminated')
    },
  }
  const lines: string[] = []
  const last = await followNotification(client, notification('PENDING'), {
    signal: AbortSignal.timeout(5_000),
    pollMs: 1,
    onChange: ({ channel, status }) => void lines.push(`${channel ?? ''} ${status}`),
  })
  assert.equal(last, sent)
  assert.deepEqual(lines, [' PENDING', 'EMAIL SENDING', 'EMAIL SENT'])
})
