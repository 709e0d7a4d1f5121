/** The whole run: type check, lint, one Postgres, one Kafka, every test file, and one last line that counts. */
import { spawn } from 'node:child_process'
import { glob } from 'node:fs/promises'
import { relative } from 'node:path'
import type { EventData } from 'node:test'
import { run } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect, stripVTControlCharacters } from 'node:util'
import { makeTemplate, startTestPostgres } from './database.ts'
import { startKafka } from './kafka-broker.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const fileTimeoutMs = 300_000
const inCi = process.env.CI === 'true'
const count = { passed: 0, failed: 0 }
const perFile = new Map<string, { passed: number; failed: number; output: string }>()
const stops: (() => Promise<void>)[] = []
const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort())

const patterns = process.argv.slice(2)
try {
  const files = await findFiles()
  if (files.length === 0) fail(`no test file matches ${patterns.join(' ')}`)
  if (patterns.length === 0) {
    await check('type check', 'typescript/bin/tsc', ['--noEmit'])
    await check('lint and format', '@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.'])
  }
  await startServers()
  if (!interrupted.signal.aborted) await runFiles(files)
} catch (error) {
  fail(`the run could not go on: ${inspect(error)}`)
}
for (const stop of stops.reverse()) await stop().catch((error) => fail(`a server did not stop: ${inspect(error)}`))
if (interrupted.signal.aborted) fail('interrupted')
console.log(`${count.passed} passed, ${count.failed} failed`)
process.exit(count.failed > 0 ? 1 : 0)

function fail(what: string) {
  count.failed++
  console.log(`✖ ${what}`)
}

async function findFiles(): Promise<string[]> {
  const files: string[] = []
  for await (const file of glob('test/**/*.test.ts', { cwd: root })) files.push(file)
  const wanted = files.filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
  return wanted.sort().map((file) => `${root}${file}`)
}

async function check(name: string, bin: string, args: string[]) {
  const began = performance.now()
  const child = spawn(process.execPath, [`${root}node_modules/${bin}`, ...args], {
    cwd: root,
    signal: interrupted.signal,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk
    })
  const code = await new Promise((done) => child.once('close', done).once('error', done))
  const took = seconds(performance.now() - began)
  if (code !== 0) return fail(`${name} ${took}\n${stripVTControlCharacters(output).trim()}`)
  count.passed++
  console.log(`✔ ${name} ${took}`)
}

/** Whoever is given `TEST_POSTGRES_URL` or `KAFKA_BROKERS` by its surroundings uses those. */
async function startServers() {
  const began = performance.now()
  const [postgres, kafka] = await Promise.allSettled([startPostgres(), startKafka({ onNotice: console.log })])
  if (kafka.status === 'fulfilled') stops.push(kafka.value.stop)
  if (postgres.status === 'rejected') throw postgres.reason
  if (kafka.status === 'rejected') throw kafka.reason
  process.env.KAFKA_BROKERS = kafka.value.brokers.join(',')
  console.log(`✔ Postgres: ${postgres.value}; Kafka: ${kafka.value.kind} ${seconds(performance.now() - began)}`)
}

async function startPostgres(): Promise<string> {
  const given = process.env.TEST_POSTGRES_URL
  if (!given) {
    const server = await startTestPostgres(`${root}.cache/test-postgres`, console.log)
    stops.push(server.stop)
    process.env.TEST_POSTGRES_URL = server.url
  }
  const url = process.env.TEST_POSTGRES_URL ?? ''
  process.env.TEST_TEMPLATE = await makeTemplate(url)
  return given ? 'given' : 'embedded'
}

type TestEvent = EventData.TestPass | EventData.TestFail

async function runFiles(files: string[]) {
  // A listener that throws takes the whole process down with another error's name: keep them simple.
  const stream = run({ files, concurrency: 2, timeout: fileTimeoutMs, signal: interrupted.signal, cwd: root })
  stream.on('test:pass', (test) =>
    record(test, inCi && (test.skip ?? test.todo) ? 'skipped, and CI skips nothing' : undefined),
  )
  stream.on('test:fail', (test) => record(test, test.todo && !inCi ? undefined : inspect(causeOf(test.details.error))))
  stream.on('test:stderr', ({ file, message }) => keep(file, message))
  stream.on('test:stdout', ({ file, message }) => keep(file, message))
  let success = true
  stream.on('test:summary', (summary) => {
    if (summary.file) report(summary.file, summary.duration_ms)
    else success = summary.success
  })
  for await (const _ of stream);
  if (!success && count.failed === 0) fail('node:test says that something failed, and not what')
}

function record(test: TestEvent & { entryFile?: string }, failure: string | undefined) {
  const file = test.entryFile ?? test.file ?? test.name // `file` is where test() was called: a shared suite, perhaps
  const isFile = test.name === file // outside its tests: it did not load, a hook of it failed, or there are none
  if (failure === undefined && isFile) failure = 'this file has no tests'
  if (failure === undefined && test.details.type === 'suite') return // it only groups
  if ('error' in test.details && failureType(test.details.error) === 'subtestsFailed') return // they are counted
  const tally = tallyOf(file)
  if (failure === undefined) {
    tally.passed++
    count.passed++
    return
  }
  tally.failed++
  fail(`${relative(root, file)}${isFile ? '' : ` › ${test.name}`}\n${failure}`)
  if (isFile && tally.passed + tally.failed === 1) report(file, test.details.duration_ms) // no summary will come
}

/** node:test wraps what was thrown; for a file that did not even load, the cause is only a word. */
function causeOf(error: Error) {
  return error.cause instanceof Error ? error.cause : error
}

function failureType(error: Error & { failureType?: string }) {
  return error.failureType
}

/** One line a file, and what it printed when something in it failed. */
function report(file: string, durationMs: number) {
  const { passed, failed, output } = tallyOf(file)
  console.log(
    `${failed ? '✖' : '✔'} ${relative(root, file)}: ${passed}${failed ? `, ${failed} failed` : ''} ${seconds(durationMs)}`,
  )
  if (failed && output) console.log(output.trimEnd())
  tallyOf(file).output = ''
}

function tallyOf(file: string) {
  const tally = perFile.get(file) ?? { passed: 0, failed: 0, output: '' }
  perFile.set(file, tally)
  return tally
}

function keep(file: string | undefined, message: string) {
  if (file) tallyOf(file).output += message
}

function seconds(ms: number) {
  return `(${(ms / 1000).toFixed(1)} s)`
}
