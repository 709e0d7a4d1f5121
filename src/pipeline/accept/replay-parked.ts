import { type BridgeTopicRule, matchBridgeTopic } from '../../domain/bridge-topics.ts'
import { inTransaction } from '../../platform/db.ts'
import {
  lockParked,
  markParked,
  type ParkedContent,
  type ParkedFilter,
  pageParked,
} from '../../store/parked-messages.ts'
import { type AcceptPageDeps, acceptJudged, storable } from './accept-page.ts'
import { type JudgedMessage, type JudgeSettings, judgeMessage } from './judge-message.ts'
import { encodedValueOf, type InboundMessage } from './read-envelope.ts'

export interface ReplayDeps extends AcceptPageDeps {
  rules: readonly BridgeTopicRule[]
  judge: JudgeSettings
  now(): Date
}

export interface Replayed {
  accepted: number
  duplicate: number
  /** Still parked, with their reasons as they are now. */
  stillParked: number
}

/** Values of a page lie in memory together. */
const pageSize = 100

/**
 * Has parked messages go the way they would have gone: what is accepted, or was before, is marked and never replayed again.
 * Two replays at once do each message once.
 */
export async function replayParked(filter: ParkedFilter, on: ReplayDeps): Promise<Replayed> {
  const replayed: Replayed = { accepted: 0, duplicate: 0, stillParked: 0 }
  for (let after: string | undefined; ; ) {
    const page = await pageParked(on.pool, { ...filter, withReplayed: false }, after, pageSize)
    if (page.length === 0) return replayed
    after = page.at(-1)!.id
    const judged = await judgeAgain(page, on)
    await inTransaction(on.pool, async (trx) => {
      const locked = await lockParked(
        trx,
        page.map(({ id }) => id),
      )
      const ours = page.flatMap(({ id }, index) => (locked.has(id) ? [{ id, judged: judged[index]! }] : []))
      const { verdicts } = await acceptJudged(
        trx,
        ours.map((each) => each.judged),
        on,
        on.now(),
      )
      await markParked(
        trx,
        verdicts.map(({ intentId, unreadable }, index) => ({
          id: ours[index]!.id,
          intentId,
          reason: unreadable?.reason,
          detail: unreadable && storable(unreadable.detail),
        })),
        on.now(),
      )
      for (const { outcome, unreadable } of verdicts) {
        if (unreadable) replayed.stillParked++
        else replayed[outcome as 'accepted' | 'duplicate']++
      }
    })
  }
}

async function judgeAgain(page: readonly ParkedContent[], { judge, rules, now }: ReplayDeps): Promise<JudgedMessage[]> {
  const messages = page.map(messageOf)
  await judge.decoder.prepare(messages.flatMap((message) => encodedValueOf(message) ?? []))
  const at = now()
  return page.map(({ topic, partition, reason, detail }, index) => {
    const known = matchBridgeTopic(topic, rules)
    if (!known) return { ok: false, reason, detail }
    return judgeMessage(messages[index]!, { ...known, partition }, judge, at)
  })
}

function messageOf({ offset, writtenAt, key, value, headers, reason, detail }: ParkedContent): InboundMessage {
  const byName: Record<string, Buffer | Buffer[]> = Object.create(null)
  for (const { name, value: text } of headers) {
    const bytes = Buffer.from(text, 'base64')
    byName[name] = byName[name] === undefined ? bytes : [byName[name], bytes].flat()
  }
  return {
    offset,
    timestamp: writtenAt ? String(writtenAt.getTime()) : '',
    key,
    value,
    headers: byName,
    headerCount: headers.length,
    // A whole batch lies here, as it came: there is no message in it to judge.
    undecodable:
      reason === 'undecodable' && detail.startsWith('its batch: ') ? detail.slice('its batch: '.length) : undefined,
  }
}
