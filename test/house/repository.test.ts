import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string) => readFile(`${root}/${path}`, 'utf8')

/** Taken apart, so that this file does not name what it looks for. */
const registryHosts = [
  'registry\\.npmjs\\.' + 'org',
  'npm\\.pkg\\.' + 'github',
  'repo\\d?\\.maven\\.' + 'org',
  'repo\\.maven\\.' + 'apache',
  'registry\\.yarnpkg',
]
const machinePaths = ['/(root|work)/[\\w.-]', '/home/(?!node\\b)[\\w.-]+/', '/Users/[\\w.-]+/', '[A-Z]:\\\\Users\\\\']
const hosts = new RegExp(registryHosts.join('|'))
const paths = new RegExp(`(?<![\\w.$}/*)-])(${machinePaths.join('|')})`)

test('no tracked file names a package registry or a path of one machine', async () => {
  const { stdout } = await promisify(execFile)('git', ['ls-files', '-z'], { cwd: root, maxBuffer: 1e8 })
  const found: string[] = []
  for (const path of stdout.split('\0').filter(Boolean)) {
    const text = await read(path).catch(() => '') // deleted, and not yet committed so
    text.split('\n').forEach((line, index) => {
      if (hosts.test(line) || paths.test(line)) found.push(`${path}:${index + 1}: ${line.trim().slice(0, 120)}`)
    })
  }
  assert.deepEqual(found, [])
})

test('the patterns find what they are for', () => {
  for (const line of ['https://registry.npmjs.' + 'org/a', 'https://repo1.maven.' + 'org/']) assert.match(line, hosts)
  for (const line of ["'/ro" + "ot/x'", ' /wo' + 'rk/main', '"/ho' + 'me/anna/x"', '(/Use' + 'rs/anna/x)'])
    assert.match(line, paths)
  for (const line of ['src/work/a', 'https://example.com/home/a/', '{url}/root/a']) assert.doesNotMatch(line, paths)
})

test('every dependency has one exact version', async () => {
  const manifest = JSON.parse(await read('package.json'))
  const versions = Object.entries<string>({ ...manifest.dependencies, ...manifest.devDependencies })
  assert.deepEqual(
    versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)),
    [],
  )
})

test('the lock file says what, and leaves where from to the machine', async () => {
  const { packages } = JSON.parse(await read('package-lock.json'))
  const entries = Object.entries<{ resolved?: string; link?: boolean }>(packages)
  assert.deepEqual(
    entries.filter(([, entry]) => entry.resolved && !entry.link).map(([name]) => name),
    [],
  )
})
