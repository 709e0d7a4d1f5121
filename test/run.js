// What `npm test` runs. Plain JavaScript that an old Node can parse: it fetches what is missing, then hands over to the
// pinned Node, where test/support/run-tests.ts does the work.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const pinned = `${root}node_modules/node/bin/node${process.platform === 'win32' ? '.exe' : ''}`

if (!existsSync(pinned)) {
  console.log('node_modules is not complete: npm ci')
  const { status } = spawnSync('npm', ['ci'], { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
  if (status !== 0 || !existsSync(pinned)) {
    console.error('npm ci did not bring the pinned Node')
    console.log('0 passed, 1 failed')
    process.exit(1)
  }
}

const args = [`${root}test/support/run-tests.ts`, ...process.argv.slice(2)]
// Hundreds of processes load the same modules: their types are stripped once.
const env = { NODE_COMPILE_CACHE: `${root}.cache/compile`, ...process.env }
const child = spawn(pinned, args, { cwd: root, stdio: 'inherit', env })
process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
process.on('SIGTERM', () => child.kill('SIGTERM'))
child.once('error', (error) => {
  console.error(`${pinned} does not run: ${error.message}`)
  process.exit(1)
})
child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal ?? 'SIGTERM']))
