import type { ReadRecord } from '../../platform/kafka/read-committed.ts'

/** Marks what `carillon feed replay` has published once more; its value is the id of the run. */
export const replayHeader = 'ce_replayid'

/** What the headers of one of our messages say. */
export interface FeedMessage {
  id: string
  type: string
  subjectId: string
  tenantId: string
  sequence: string
  key: string
  replayId?: string
}

const idPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const sequencePattern = /^\d{20}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Undefined: it is none of ours. */
export function readFeedMessage({ key, headers }: Pick<ReadRecord, 'key' | 'headers'>): FeedMessage | undefined {
  const { ce_id: id, ce_type: type, ce_sequence: sequence } = headers
  if (key === null || type === undefined || !idPattern.test(id ?? '') || !sequencePattern.test(sequence ?? '')) return
  return {
    id: id!,
    type,
    subjectId: headers.ce_subject ?? '',
    tenantId: headers.ce_tenantid ?? '',
    sequence: sequence!,
    key: key.toString(),
    replayId: headers[replayHeader],
  }
}
