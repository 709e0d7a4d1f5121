import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What a development service says of itself to tools: `$CARILLON_DATA_DIR/dev.json`. Closed to other users. */
export interface DevFile {
  url: string
  graphqlUrl: string
  apiKey: string
  tenantId: string
  databaseUrl: string
}

const names = ['url', 'graphqlUrl', 'apiKey', 'tenantId', 'databaseUrl'] as const

export function devFilePath(dataDir: string): string {
  return join(dataDir, 'dev.json')
}

/** What the last start wrote; undefined where there is none, or it is not whole. */
export async function readDevFile(dataDir: string): Promise<DevFile | undefined> {
  try {
    const found = JSON.parse(await readFile(devFilePath(dataDir), 'utf8')) as Record<string, unknown>
    return names.every((name) => typeof found[name] === 'string') ? (found as unknown as DevFile) : undefined
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Renamed into place, so that nobody reads half of it. */
export async function writeDevFile(dataDir: string, content: DevFile): Promise<void> {
  await mkdir(dataDir, { recursive: true })
  const path = devFilePath(dataDir)
  const draft = `${path}.${process.pid}`
  await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
  await chmod(draft, 0o600)
  await rename(draft, path)
}
