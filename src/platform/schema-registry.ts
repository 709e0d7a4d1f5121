import { request } from 'undici'
import { OperationalError } from './errors.ts'

/**
 * Throws OperationalError SCHEMA_REGISTRY_UNAVAILABLE, where trying again helps, or SCHEMA_REFUSED, where a person has to do
 * something.
 */
export interface SchemaRegistry {
  /** The id of a schema under a subject; it is registered where that is wanted and not done. */
  idOf(subject: string, schema: string): Promise<number>
  /** The Avro schema with an id; undefined: there is none, or it is of another kind. */
  schemaOf(id: number): Promise<string | undefined>
}

export interface SchemaRegistryOptions {
  /** May hold a user and a password. */
  url: string
  username?: string
  password?: string
  /** false: schemas are only looked up, and a person registers them. */
  autoRegister: boolean
  timeoutMs?: number
}

const maxAnswerBytes = 1024 * 1024
const mediaType = 'application/vnd.schemaregistry.v1+json'

interface Answer {
  status: number
  body: { id?: unknown; schema?: unknown; schemaType?: unknown; error_code?: unknown; message?: unknown }
}

/** A client of a registry that speaks as Confluent's does (Karapace, Apicurio and Redpanda do). */
export function createSchemaRegistry(on: SchemaRegistryOptions): SchemaRegistry {
  const base = new URL(on.url.endsWith('/') ? on.url : `${on.url}/`)
  const username = on.username ?? decodeURIComponent(base.username)
  const password = on.password ?? decodeURIComponent(base.password)
  base.username = ''
  base.password = ''
  const headers = {
    accept: `${mediaType}, application/json`,
    'content-type': mediaType,
    ...(username && { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }),
  }

  async function ask(method: 'GET' | 'POST', path: string, body?: object): Promise<Answer> {
    const signal = AbortSignal.timeout(on.timeoutMs ?? 10_000)
    try {
      const answer = await request(new URL(path, base), { method, headers, signal, body: body && JSON.stringify(body) })
      const chunks: Buffer[] = []
      let size = 0
      for await (const chunk of answer.body) {
        size += chunk.length
        if (size > maxAnswerBytes) throw new Error(`its answer is longer than ${maxAnswerBytes} bytes`)
        chunks.push(chunk)
      }
      return { status: answer.statusCode, body: parse(Buffer.concat(chunks).toString()) }
    } catch (error) {
      throw unavailable(`${base.origin} does not answer: ${(error as Error).message}`, error)
    }
  }

  /** What an answer that is none of those expected means. */
  function fault({ status, body }: Answer, what: string): OperationalError {
    const said = `${what}: the schema registry at ${base.origin} answers ${status}${typeof body.message === 'string' ? ` (${body.message.slice(0, 500)})` : ''}`
    return status >= 500 || status === 408 || status === 429 || status === 200 ? unavailable(said) : refused(said)
  }

  return {
    async idOf(subject, schema) {
      const path = `subjects/${encodeURIComponent(subject)}`
      const answer = await ask('POST', on.autoRegister ? `${path}/versions` : path, { schema, schemaType: 'AVRO' })
      const { status, body } = answer
      if (status === 200 && typeof body.id === 'number') return body.id
      if (status === 409) {
        throw refused(
          `what the registry has under ${subject} is not compatible with our schema: ${String(body.message).slice(0, 500)}`,
        )
      }
      if (status === 404 && !on.autoRegister) {
        throw refused(`our schema is not registered under ${subject}, and SCHEMA_REGISTRY_AUTO_REGISTER is off`)
      }
      throw fault(answer, `cannot find our schema under ${subject}`)
    },
    async schemaOf(id) {
      const answer = await ask('GET', `schemas/ids/${id}`)
      const { schema, schemaType = 'AVRO' } = answer.body
      if ([400, 404, 422].includes(answer.status)) return undefined // an id that is none, as some registries say it
      if (answer.status !== 200 || typeof schema !== 'string') throw fault(answer, `cannot read schema ${id}`)
      return schemaType === 'AVRO' ? schema : undefined
    },
  }
}

interface RegistrySettings {
  SCHEMA_REGISTRY_URL?: string
  SCHEMA_REGISTRY_USERNAME?: string
  SCHEMA_REGISTRY_PASSWORD?: string
  SCHEMA_REGISTRY_AUTO_REGISTER: boolean
}

/** The registry of the configuration, where there is one. */
export function configuredRegistry(settings: RegistrySettings): SchemaRegistry | undefined {
  return settings.SCHEMA_REGISTRY_URL === undefined
    ? undefined
    : createSchemaRegistry({
        url: settings.SCHEMA_REGISTRY_URL,
        username: settings.SCHEMA_REGISTRY_USERNAME,
        password: settings.SCHEMA_REGISTRY_PASSWORD,
        autoRegister: settings.SCHEMA_REGISTRY_AUTO_REGISTER,
      })
}

/** What is no JSON object says nothing. */
function parse(text: string): Answer['body'] {
  try {
    const body = JSON.parse(text)
    return typeof body === 'object' && body !== null ? body : {}
  } catch {
    return {}
  }
}

const unavailable = (what: string, cause?: unknown) =>
  new OperationalError('SCHEMA_REGISTRY_UNAVAILABLE', what, { cause })
const refused = (what: string) => new OperationalError('SCHEMA_REFUSED', what)
