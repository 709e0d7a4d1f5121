#!/usr/bin/env node
// The bin. Plain JavaScript that an old Node can parse: main.ts needs the Node of package.json's "engines", and where
// the machine's own is older, the one that npm installed beside us takes over.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const main = new URL('../main.ts', import.meta.url)
const neededMajor = 24

if (Number(process.versions.node.split('.')[0]) >= neededMajor) {
  process.argv[1] = fileURLToPath(main)
  await import(main.href)
} else {
  const pinned = ['node/bin/node', '.bin/node', 'node/bin/node.exe']
    .map((path) => fileURLToPath(new URL(`../../node_modules/${path}`, import.meta.url)))
    .find(existsSync)
  if (pinned) handOver(pinned)
  else
    fail(
      `carillon needs Node ${neededMajor} or newer, and this is ${process.versions.node}: run "npm ci" in its folder`,
    )
}

/** @param {string} node */
function handOver(node) {
  const child = spawn(node, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit' })
  // Ctrl-C in a terminal reaches the child by itself; what it must not do is end us first, or reach the child twice.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP', 'SIGUSR2']))
    process.on(signal, () => child.kill(signal))
  child.once('error', (error) => fail(`carillon cannot run ${node}: ${error.message}`))
  child.once('exit', (code, signal) =>
    process.exit(code ?? 128 + constants.signals[/** @type {NodeJS.Signals} */ (signal)]),
  )
}

/** @param {string} line */
function fail(line) {
  console.error(line)
  process.exitCode = 1
}
