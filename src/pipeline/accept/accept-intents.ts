import type { AcceptAnswer, NewIntent } from '../../domain/intent.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import type { IdSource } from '../../platform/id-source.ts'
import { plainArray, textArray } from '../../platform/sql-array.ts'

const acceptSql = statement('accept/accept_intents')

interface Row extends Record<string, unknown> {
  ord: number
  status: AcceptAnswer['status']
  intent_id: string
}

/** Intents that were accepted in one job; they agree in tenant, priority and moment. */
export interface AcceptedChunk {
  jobId: string
  tenantId: string
  priority: number
  intents: AcceptedIntent[]
}

/** An intent as planning finds it in the database. */
export interface AcceptedIntent extends Omit<NewIntent, 'scheduledAt' | 'expiresAt'> {
  id: string
  acceptedAt: Date
  scheduledAt?: Date
  expiresAt?: Date
}

export interface Accepted {
  /** One for each intent, in order. */
  answers: AcceptAnswer[]
  /** What was accepted now and is due at once, where it was claimed for this process. */
  claimed: AcceptedChunk[]
}

export interface AcceptOptions {
  /** Whether this process plans what is due itself. */
  claim?: boolean
  /** Intents that are planned together at most. */
  chunkSize?: number
}

interface Asked {
  id: string
  jobId: string
  intent: NewIntent
}

/**
 * Accepts a batch in one statement and one commit, whatever its size and tenants. Nothing is answered before it is
 * durable. With `claim`, the jobs of what is due are born as fetched, and the caller works them. Throws what Postgres
 * says; then nothing of the batch was accepted.
 */
export async function acceptIntents(
  on: Queryable,
  intents: readonly NewIntent[],
  ids: IdSource,
  now: Date,
  keyTtlMs: number,
  { claim = false, chunkSize = 500 }: AcceptOptions = {},
): Promise<Accepted> {
  const asked = assignJobs(intents, ids, chunkSize)
  const byTenant = Map.groupBy(asked, ({ intent }) => intent.tenantId)
  const events = [...byTenant].map(([tenantId, members]) => ({
    tenant_id: tenantId,
    id: ids.batchId(),
    events: members.map(receivedEvent),
  }))
  const answers = await run<Row>(on, acceptSql, [
    [...byTenant.keys()].join(','),
    now,
    `${keyTtlMs} milliseconds`,
    claim,
    plainArray(asked, ({ intent }) => intent.tenantId),
    plainArray(asked, ({ id }) => id),
    plainArray(asked, ({ intent }) => intent.kind),
    textArray(asked, ({ intent }) => intent.type),
    plainArray(asked, ({ intent }) => intent.priority),
    textArray(asked, ({ intent }) => intent.category),
    textArray(asked, ({ intent }) => intent.idempotencyKey),
    textArray(asked, ({ intent }) => intent.eventId),
    textArray(asked, ({ intent }) => intent.correlationId),
    textArray(asked, ({ intent }) => intent.traceparent),
    plainArray(asked, ({ intent }) => intent.source),
    plainArray(asked, ({ intent }) => intent.scheduledAt),
    plainArray(asked, ({ intent }) => intent.expiresAt),
    plainArray(asked, ({ intent }) => intent.payload.recipients?.length ?? 0),
    plainArray(asked, ({ jobId }) => jobId),
    JSON.stringify(intents.map(({ payload }) => payload)),
    JSON.stringify(events),
  ])
  const byOrd: AcceptAnswer[] = []
  for (const { ord, status, intent_id } of answers) byOrd[ord - 1] = { status, intentId: intent_id }
  return {
    answers: intents.map((_, index) => {
      const answer = byOrd[index]
      if (!answer) throw new Error('accept_intents left an intent unanswered')
      return answer
    }),
    claimed: claim ? claimedChunks(asked, byOrd, now) : [],
  }
}

/** Cuts a batch into jobs: one tenant, priority and moment each. */
function assignJobs(intents: readonly NewIntent[], ids: IdSource, chunkSize: number): Asked[] {
  const open = new Map<string, { jobId: string; size: number }>()
  return intents.map((intent) => {
    const key = `${intent.tenantId} ${intent.priority} ${intent.scheduledAt}`
    let job = open.get(key)
    if (!job || job.size === chunkSize) {
      job = { jobId: ids.id(), size: 0 }
      open.set(key, job)
    }
    job.size++
    return { id: ids.intentId(), jobId: job.jobId, intent }
  })
}

function receivedEvent({ id, intent }: Asked): object {
  return {
    subject_id: id,
    type: 'notification.intent.received',
    data: {
      kind: intent.kind,
      type: intent.type,
      source: intent.source,
      event_id: intent.eventId,
      idempotency_key: intent.idempotencyKey,
      correlation_id: intent.correlationId,
      traceparent: intent.traceparent,
    },
  }
}

function claimedChunks(asked: readonly Asked[], answers: readonly AcceptAnswer[], now: Date): AcceptedChunk[] {
  const chunks = new Map<string, AcceptedChunk>()
  asked.forEach(({ id, jobId, intent }, index) => {
    if (answers[index]!.status !== 'accepted') return
    if (intent.scheduledAt !== undefined && Date.parse(intent.scheduledAt) > now.getTime()) return
    const { tenantId, priority } = intent
    const chunk = chunks.get(jobId) ?? { jobId, tenantId, priority, intents: [] }
    chunk.intents.push({
      ...intent,
      id,
      acceptedAt: now,
      scheduledAt: intent.scheduledAt === undefined ? undefined : new Date(intent.scheduledAt),
      expiresAt: intent.expiresAt === undefined ? undefined : new Date(intent.expiresAt),
    })
    chunks.set(jobId, chunk)
  })
  return [...chunks.values()]
}
