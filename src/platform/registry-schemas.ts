import { type AvroReader, avroReader } from './avro-values.ts'
import type { Clock } from './clock.ts'
import type { SchemaRegistry } from './schema-registry.ts'

/** The schemas that messages were written with, by the id that they begin with. */
export interface RegistrySchemas {
  /**
   * Fetches those that are not known yet. Throws what the registry does (SCHEMA_REGISTRY_UNAVAILABLE, SCHEMA_REFUSED): nothing
   * is decided of the messages, and trying again helps, perhaps after a person has put something right.
   */
  load(ids: Iterable<number>): Promise<void>
  /** Of an id that was loaded; undefined: the registry does not have it, or what it has is no Avro. */
  reader(id: number): AvroReader | undefined
}

/** A schema may come after the first message that was written with it. */
const missingForMs = 10_000
const maxKept = 1_000

/** Asks for each schema once, and for one that is missing again after a while. */
export function createRegistrySchemas(on: { registry: SchemaRegistry; clock: Clock }): RegistrySchemas {
  const known = new Map<number, AvroReader>()
  const missing = new Map<number, number>()

  async function load(id: number): Promise<void> {
    const now = on.clock.now().getTime()
    if (known.has(id) || (missing.get(id) ?? 0) > now) return
    // Writers choose the ids, and what no registry gives out is not asked for.
    const found = id < 1 ? undefined : readerOf(await on.registry.schemaOf(id))
    if (found) known.set(id, found)
    else missing.set(id, now + missingForMs)
  }

  return {
    async load(ids) {
      if (known.size + missing.size >= maxKept) {
        known.clear() // before a page, and never within one: what it needs stays until it is judged
        missing.clear()
      }
      for (const id of new Set(ids)) await load(id)
    },
    reader: (id) => known.get(id),
  }
}

function readerOf(schema: string | undefined): AvroReader | undefined {
  if (schema === undefined) return undefined
  try {
    return avroReader(JSON.parse(schema))
  } catch {
    return undefined // the registry has it, and nobody can read by it
  }
}
