import type { FeedRecord } from './feed-record.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: what JSON must escape
const toEscape = /["\\\x00-\x1f\ud800-\udfff]/

/** Fields whose text is ours, with nothing in it to be escaped. */
const ours = new Set(['intent_id', 'notification_id', 'delivery_id'])

/** Those that the head is made of. */
const headNames = ['id', 'event_type', 'schema_version', 'tenant_id', 'source', 'occurred_at', 'sequence']

/**
 * Writes records as JSON, in the order of the schema's fields; what is null, and a `data_omitted` that is false, is left
 * out. What the events of a batch have in common is put together once: fewer pieces of text are less work for the
 * collector, which is what most of the time goes to.
 */
export function createJsonWriter(fieldNames: readonly string[]): (record: FeedRecord) => string {
  const fields = fieldNames
    .filter((name) => !headNames.includes(name))
    .map((name) => ({ name: name as keyof FeedRecord, lead: `,"${name}":`, isOurs: ours.has(name) }))
  let batch: Pick<FeedRecord, 'source' | 'occurred_at'> | undefined
  let lastXid = ''
  let heads = new Map<string, string>()

  /** What stands between the id and its second appearance, at the end of the sequence. */
  function headOf(record: FeedRecord): string {
    const xid = record.sequence.slice(0, -record.id.length)
    if (record.source !== batch?.source || record.occurred_at !== batch.occurred_at || xid !== lastXid) {
      batch = record
      lastXid = xid
      heads = new Map()
    }
    let head = heads.get(record.event_type)
    if (head === undefined) {
      const { event_type, schema_version, tenant_id, source, occurred_at } = record
      const json = JSON.stringify({ event_type, schema_version, tenant_id, source, occurred_at, sequence: xid })
      head = `",${json.slice(1, -2)}`
      heads.set(event_type, head)
    }
    return head
  }

  return (record) => {
    let json = `{"id":"${record.id}${headOf(record)}${record.id}"`
    for (const { name, lead, isOurs } of fields) {
      const value: unknown = record[name]
      if (value === null) continue
      if (typeof value === 'string') {
        json += isOurs || !toEscape.test(value) ? `${lead}"${value}"` : lead + JSON.stringify(value)
      } else if (value !== false || name !== 'data_omitted') json += lead + JSON.stringify(value)
    }
    return `${json}}`
  }
}
