/** Writes what follows from schemas/*.avsc: run `npm run schemas` after changing one, `npm run schemas -- --release` to release them. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { derivedFiles, readSources } from './feed-schemas.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const sources = readSources()
if (process.argv.includes('--release')) {
  const { version } = sources[0]!.schema
  mkdirSync(`${root}schemas/released/${version}`)
  for (const { file } of sources) copyFileSync(`${root}schemas/${file}`, `${root}schemas/released/${version}/${file}`)
}
mkdirSync(`${root}schemas/json`, { recursive: true })
for (const [path, text] of derivedFiles(sources)) writeFileSync(root + path, text)
