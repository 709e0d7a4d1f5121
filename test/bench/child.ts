/** A process of the bench's own: calls go in, answers and events come out. It ends with its parent, however that ends. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

type Call = { id: number; call: string; argument: unknown }
type Answer = { id: number; value?: unknown; fault?: string } | { event: string; value: unknown }
type Handlers = Record<string, (argument: never) => unknown>

export interface Child {
  readonly pid: number
  call<T>(name: string, argument?: unknown): Promise<T>
  on<T>(event: string, listener: (value: T) => void): void
  /** Calls `stop` in the child and waits for its end; kills it when that takes too long. Tells of an end that was not clean. */
  stop(): Promise<string | undefined>
}

const stopTimeoutMs = 30_000
const running = new Set<ChildProcess>()

/** Ends every child at once: for a run that is broken off, before its servers go. */
export function killChildren(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** A process that is not ours to talk to, and that must not outlive a run that is broken off. */
export function endWithUs(child: ChildProcess): void {
  running.add(child)
  child.once('exit', () => running.delete(child))
}

export function startChild(file: URL): Child {
  const name = file.pathname.split('/').at(-1)
  const child = fork(file, {
    env: { ...process.env, NODE_ENV: 'production' },
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const calls = new Map<number, PromiseWithResolvers<unknown>>()
  const listeners = new Map<string, (value: never) => void>()
  const exited = once(child, 'exit')
  let lastId = 0
  let gone: Error | undefined
  running.add(child)
  child.on('message', (message: Answer) => {
    if ('event' in message) return listeners.get(message.event)?.(message.value as never)
    const call = calls.get(message.id)
    calls.delete(message.id)
    if (message.fault === undefined) call?.resolve(message.value)
    else call?.reject(new Error(message.fault))
  })
  void exited.then(([code, signal]) => {
    running.delete(child)
    gone = new Error(`${name} ended by itself (${code ?? signal})`)
    for (const call of calls.values()) call.reject(gone)
  })
  const call = <T>(name: string, argument?: unknown): Promise<T> => {
    if (gone || !child.connected) return Promise.reject(gone ?? new Error('the child is on its way out'))
    const answer = Promise.withResolvers<unknown>()
    const id = ++lastId
    calls.set(id, answer)
    child.send({ id, call: name, argument } satisfies Call)
    return answer.promise as Promise<T>
  }
  return {
    pid: child.pid!,
    call,
    on: (event, listener) => void listeners.set(event, listener),
    async stop() {
      if (gone) return undefined
      const patience = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
      const fault = await call('stop').then(
        () => undefined,
        (error: Error) => error.message,
      )
      if (child.connected) child.disconnect()
      const [code, signal] = await exited
      clearTimeout(patience)
      return fault ?? (code === 0 ? undefined : `${name} ended with ${code ?? signal}`)
    },
  }
}

/** The child's side: answers each call with what its handler gives or throws. */
export function serveParent(handlers: Handlers): { tell(event: string, value: unknown): void } {
  const send = (answer: Answer) => {
    // A parent that is gone hears nothing, and ends us through 'disconnect'.
    if (process.connected) process.send?.(answer, undefined, undefined, () => {})
  }
  process.on('message', async ({ id, call, argument }: Call) => {
    try {
      send({ id, value: await handlers[call]!(argument as never) })
    } catch (error) {
      send({ id, fault: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.on('disconnect', () => process.exit())
  process.on('SIGINT', () => {}) // Ctrl-C reaches the whole group; the parent decides
  return { tell: (event, value) => send({ event, value }) }
}
