import { Eta } from 'eta'

/** Raised where a template cannot be made into a message; `detail` names the template and the part, never a value. */
export class RenderError extends Error {
  readonly code = 'RENDER_FAILED'
}

export type Renderer = (data: Record<string, unknown>) => string

/** A value that is not there is an error, never the word "undefined" in somebody's mail. */
const refuseMissing = (value: unknown): string => {
  if (value === undefined || value === null) throw new RenderError('a value is missing')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

const settings = { cache: false, useWith: false, varName: 'it', autoFilter: true, filterFunction: refuseMissing }
const html = new Eta({ ...settings, autoEscape: true })
const text = new Eta({ ...settings, autoEscape: false })

const maxCompiled = 5_000
const compiled = new Map<string, Renderer>()

/** Compiles one part of a template, once per `key` (tenant, name, version, channel, part). HTML is escaped by default. */
export function compilePart(key: string, source: string, escaping: 'html' | 'text'): Renderer {
  const known = compiled.get(key)
  if (known) return known
  const engine = escaping === 'html' ? html : text
  const template = engine.compile(source)
  const renderer: Renderer = (data) => template.call(engine, data)
  if (compiled.size >= maxCompiled) compiled.clear()
  compiled.set(key, renderer)
  return renderer
}
