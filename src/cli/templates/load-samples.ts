import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type Channel, channels } from '../../domain/channel.ts'
import type { SampleTemplate } from '../../store/sample-templates.ts'
import { CommandError } from '../exit-codes.ts'

export const builtInTemplates = fileURLToPath(new URL('../../../templates', import.meta.url))

/** template.json: what a template says of itself beside its text. */
const aboutSchema = z.strictObject({
  description: z.string(),
  version: z.string().regex(/^\d+\.\d+\.\d+$/, 'must be like 1.0.0'),
  tags: z.array(z.string()).default([]),
  /** Its channels; one without a file (audit) needs no text. */
  channels: z.array(z.enum(channels)).min(1),
  /** JSON Schema of the data. */
  variables: z.record(z.string(), z.unknown()).optional(),
  /** Data to try it with. */
  example: z.record(z.string(), z.unknown()).default({}),
})

export interface TemplateFolder extends SampleTemplate {
  channelNames: Channel[]
  example: Record<string, unknown>
}

const parts = ['subject', 'title', 'body', 'body_html']

/**
 * Reads templates from a folder: either one template (it holds a template.json) or a folder of such folders. A file
 * `<channel>.<part>.eta` is one part of one channel. Throws CommandError that names the file.
 */
export async function readTemplateFolders(folder: string = builtInTemplates): Promise<TemplateFolder[]> {
  if (await isFile(join(folder, 'template.json'))) return [await readTemplate(folder)]
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw fault(folder, `cannot be read (${error.code})`)
  })
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const found: TemplateFolder[] = []
  for (const name of names.sort()) {
    if (await isFile(join(folder, name, 'template.json'))) found.push(await readTemplate(join(folder, name)))
  }
  if (found.length === 0) throw fault(folder, 'holds no template: a template is a folder with a template.json')
  return found
}

async function readTemplate(folder: string): Promise<TemplateFolder> {
  const about = await readAbout(join(folder, 'template.json'))
  const content: Record<string, Record<string, string>> = Object.fromEntries(about.channels.map((name) => [name, {}]))
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.eta')).sort()) {
    const [channel = '', part = ''] = file.split('.')
    const texts = content[channel]
    if (!texts) throw fault(join(folder, file), `is for a channel that template.json does not name`)
    if (!parts.includes(part)) throw fault(join(folder, file), `must be <channel>.<${parts.join('|')}>.eta`)
    texts[part] = (await readFile(join(folder, file), 'utf8')).trimEnd()
  }
  return {
    name: basename(folder),
    description: about.description,
    version: `${about.version}+${fingerprint(content)}`,
    channels: content,
    variables: about.variables,
    tags: about.tags,
    channelNames: about.channels,
    example: about.example,
  }
}

async function readAbout(path: string): Promise<z.output<typeof aboutSchema>> {
  let said: unknown
  try {
    said = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw fault(path, error instanceof SyntaxError ? 'is not JSON' : `cannot be read`)
  }
  const parsed = aboutSchema.safeParse(said)
  if (parsed.success) return parsed.data
  throw fault(path, parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; '))
}

/** Compiled templates are kept by version, so another text must be another version, whoever forgot to raise it. */
function fingerprint(content: object): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 8)
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}

const fault = (path: string, what: string) => new CommandError('TEMPLATE_INVALID', `${path} ${what}`)
