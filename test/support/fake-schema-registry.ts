import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import avsc from 'avsc'

export interface FakeRegistry {
  url: string
  /** Every subject's ids, in the order of its versions. */
  subjects: Map<string, number[]>
  /** The text of a schema, by its id less one. */
  schemas: string[]
  /** What is no Avro, by its id. */
  kinds: Map<number, string>
  /** `method path` of every request. */
  asked: string[]
  /** Answers everything like this while it is set; 0: not at all. */
  trouble?: { status: number; body: string }
  password?: string
  close(): Promise<void>
}

/** A registry that speaks as Confluent's documentation has it, with full compatibility, on a real socket. */
export async function startFakeRegistry(): Promise<FakeRegistry> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    registry.asked.push(`${request.method} ${request.url}`)
    const answer =
      registry.trouble ?? toAnswer(answerTo(request.method!, request.url!, request.headers.authorization, chunks))
    if (answer.status === 0) return
    response.writeHead(answer.status, { 'content-type': 'application/vnd.schemaregistry.v1+json' }).end(answer.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const registry: FakeRegistry = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    subjects: new Map(),
    schemas: [],
    kinds: new Map(),
    asked: [],
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }

  function answerTo(method: string, path: string, authorization: string | undefined, body: Buffer[]): [number, object] {
    if (
      registry.password &&
      authorization !== `Basic ${Buffer.from(`relay:${registry.password}`).toString('base64')}`
    ) {
      return [401, { error_code: 401, message: 'Unauthorized' }]
    }
    const [kind = '', name = '', more] = path.slice(1).split('/')
    if (method === 'GET' && kind === 'schemas') {
      const schema = registry.schemas[Number(more) - 1]
      const schemaType = registry.kinds.get(Number(more))
      return schema ? [200, { schema, schemaType }] : [404, { error_code: 40403, message: 'Schema not found' }]
    }
    if (method !== 'POST' || kind !== 'subjects') return [404, { error_code: 404, message: 'HTTP 404 Not Found' }]
    const { schema } = JSON.parse(Buffer.concat(body).toString()) as { schema: string }
    return more === 'versions' ? register(decodeURIComponent(name), schema) : lookUp(decodeURIComponent(name), schema)
  }

  function register(subject: string, schema: string): [number, object] {
    const versions = registry.subjects.get(subject) ?? []
    let id = registry.schemas.indexOf(schema) + 1
    if (!versions.includes(id)) {
      for (const version of versions) {
        const [a, b] = [schema, registry.schemas[version - 1]!].map((text) => avsc.Type.forSchema(JSON.parse(text)))
        try {
          a!.createResolver(b!)
          b!.createResolver(a!)
        } catch (error) {
          const message = `Schema being registered is incompatible with an earlier schema for subject "${subject}": ${(error as Error).message}`
          return [409, { error_code: 409, message }]
        }
      }
      if (id === 0) id = registry.schemas.push(schema)
      registry.subjects.set(subject, [...versions, id])
    }
    return [200, { id }]
  }

  function lookUp(subject: string, schema: string): [number, object] {
    const versions = registry.subjects.get(subject)
    if (!versions) return [404, { error_code: 40401, message: `Subject '${subject}' not found.` }]
    const id = registry.schemas.indexOf(schema) + 1
    if (!versions.includes(id)) return [404, { error_code: 40403, message: 'Schema not found' }]
    return [200, { subject, id, version: versions.indexOf(id) + 1, schema }]
  }
  return registry
}

const toAnswer = ([status, body]: [number, object]) => ({ status, body: JSON.stringify(body) })

/** A value in Confluent's wire format. */
export function wire(id: number, schema: avsc.Schema, value: unknown): Buffer {
  const head = Buffer.alloc(5)
  head.writeInt32BE(id, 1)
  return Buffer.concat([head, avsc.Type.forSchema(schema).toBuffer(value)])
}
