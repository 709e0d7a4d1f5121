import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const read = (path: string) => readFile(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8')

const essentials: [string, RegExp][] = [
  ['leaves out what is not needed to run', /npm ci --omit=dev --omit=optional/],
  ['does not run as root', /^USER node$/m],
  ['says production, and listens where the network reaches it', /NODE_ENV=production HOST=0\.0\.0\.0/],
  ['is watched', /HEALTHCHECK[\s\S]*\/health\/live/],
  ['is started without a shell, so that signals arrive', /^CMD \["node", "src\/main\.ts", "start"\]$/m],
]
for (const [what, pattern] of essentials) {
  test(`the image ${what}`, async () => assert.match(await read('Dockerfile'), pattern))
}

test('only what runs is sent to the image build', async () => {
  const lines = (await read('.dockerignore')).split('\n').filter(Boolean)
  assert.equal(lines[0], '*')
  assert.ok(!lines.some((line) => /node_modules|test|\.git|\.env|\.carillon/.test(line)))
})

test('each service that another one waits for can be waited for', async () => {
  const [compose = ''] = (await read('docker-compose.yml')).split('\nvolumes:')
  const services = compose.split(/^ {2}(?=[a-z]+:$)/m)
  const named = new Map(services.map((text) => [text.slice(0, text.indexOf(':')), text]))
  const waits = services.flatMap((text) => [...text.matchAll(/^ {6}([a-z]+):\n {8}condition: (\w+)/gm)])
  assert.ok(waits.length >= 4)
  for (const [, service, condition] of waits) {
    const waitedFor = named.get(service ?? '') ?? assert.fail(`no service ${service}`)
    if (condition === 'service_healthy') assert.match(waitedFor, /healthcheck:\n {6}test:/)
  }
})
