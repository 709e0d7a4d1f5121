import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { endWithUs } from './child.ts'

/** How soon its log of writes is on the disk: every second, as BullMQ advises, or with every write, as Postgres here. */
export type Fsync = 'everysec' | 'always'

export interface Redis {
  host: string
  port: number
  stop(): Promise<void>
}

/** A Redis of our own, with an append-only file, in a folder that goes with it; undefined where there is no redis-server. */
export async function startRedis(fsync: Fsync): Promise<Redis | undefined> {
  const dir = await mkdtemp(join(tmpdir(), 'carillon-redis-'))
  const port = await freePort()
  const settings = { port, bind: '127.0.0.1', dir, save: '', appendonly: 'yes', appendfsync: fsync }
  const server = spawn(
    'redis-server',
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  endWithUs(server)
  const exited = once(server, 'exit')
  exited.catch(() => {}) // 'error' comes instead where it could not be started
  const ready = Promise.withResolvers<boolean>()
  server.once('error', (error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? ready.resolve(false) : ready.reject(error),
  )
  const said: string[] = []
  createInterface(server.stdout).on('line', (line) => {
    said.push(line)
    if (line.includes('Ready to accept connections')) ready.resolve(true)
  })
  server.once('exit', () => ready.reject(new Error(`redis-server ended by itself: ${said.slice(-3).join(' | ')}`)))
  const clear = () => rm(dir, { recursive: true, force: true })
  try {
    if (!(await ready.promise)) {
      await clear()
      return undefined
    }
  } catch (error) {
    server.kill('SIGKILL')
    await clear()
    throw error
  }
  return {
    host: '127.0.0.1',
    port,
    async stop() {
      server.kill('SIGKILL') // its data goes with it: nothing to flush
      await exited
      await clear()
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
