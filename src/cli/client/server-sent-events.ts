/** One event of a text/event-stream. */
export interface ServerSentEvent {
  event: string
  data: string
}

/** Reads a stream of server-sent events as the HTML standard has it; comments and ids are left out. */
export async function* readServerSentEvents(body: ReadableStream<Uint8Array>): AsyncIterable<ServerSentEvent> {
  let rest = ''
  let event = 'message'
  let data: string[] = []
  const decoder = new TextDecoder()
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop()!
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0 || event !== 'message') yield { event, data: data.join('\n') }
        event = 'message'
        data = []
        continue
      }
      const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? []
      if (field === 'event') event = value
      if (field === 'data') data.push(value)
    }
  }
}
