import SchemaBuilder from '@pothos/core'
import type { ApiContext } from './context.ts'

/** Pothos with our context and scalars. Every file of this folder adds what it knows; schema.ts gathers them. */
export const builder = new SchemaBuilder<{
  Context: ApiContext
  DefaultFieldNullability: false
  Scalars: {
    ID: { Input: string; Output: string }
    /** Read as text and judged where it is used, so that a bad one in one of many inputs fails that one alone. */
    DateTime: { Input: string; Output: Date | string }
    JSON: { Input: unknown; Output: unknown }
  }
}>({ defaultFieldNullability: false })

builder.queryType({})
builder.mutationType({})
builder.subscriptionType({})
