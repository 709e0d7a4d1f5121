import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAddressGuard, isPublicAddress } from '../../src/channels/address-guard.ts'
import { createGuardedAgent, exchange } from '../../src/channels/http-exchange.ts'
import { startHttpServer } from './support/fake-http-server.ts'

const verdicts: [address: string, isPublic: boolean, what: string][] = [
  ['93.184.215.14', true, 'a public IPv4 address'],
  ['2606:2800:21f:cb07:6820:80da:af6b:8b2c', true, 'a public IPv6 address'],
  ['0.0.0.0', false, 'this host'],
  ['10.1.2.3', false, 'private'],
  ['172.16.0.1', false, 'private'],
  ['172.32.0.1', true, 'just outside of private'],
  ['192.168.1.1', false, 'private'],
  ['127.0.0.1', false, 'loopback'],
  ['127.8.8.8', false, 'loopback'],
  ['100.64.0.1', false, 'carrier-grade NAT'],
  ['100.100.100.200', false, 'metadata of Alibaba'],
  ['169.254.169.254', false, 'metadata of most clouds'],
  ['169.254.170.2', false, 'credentials of ECS'],
  ['168.63.129.16', false, 'platform of Azure'],
  ['192.0.0.192', false, 'metadata of Oracle'],
  ['192.0.2.1', false, 'documentation'],
  ['198.18.0.1', false, 'benchmarking'],
  ['224.0.0.1', false, 'multicast'],
  ['240.0.0.1', false, 'reserved'],
  ['255.255.255.255', false, 'broadcast'],
  ['::', false, 'unspecified'],
  ['::1', false, 'loopback'],
  ['::7f00:1', false, 'IPv4-compatible loopback'],
  ['::ffff:127.0.0.1', false, 'mapped loopback'],
  ['::ffff:7f00:1', false, 'mapped loopback in hex'],
  ['::ffff:169.254.169.254', false, 'mapped metadata'],
  ['::ffff:168.63.129.16', false, 'mapped platform'],
  ['::ffff:93.184.215.14', true, 'a mapped public address'],
  ['64:ff9b::7f00:1', false, 'NAT64 of loopback'],
  ['64:ff9b:1::1', false, 'local NAT64'],
  ['2002:7f00:1::', false, '6to4 of loopback'],
  ['2001:0:7f00:1::', false, 'Teredo'],
  ['2001:db8::1', false, 'documentation'],
  ['fc00::1', false, 'unique local'],
  ['fd00:ec2::254', false, 'metadata of AWS over IPv6'],
  ['fe80::1', false, 'link-local'],
  ['fe80::1%eth0', false, 'link-local with a zone'],
  ['fec0::1', false, 'site-local'],
  ['ff02::1', false, 'multicast'],
  ['4000::1', false, 'not yet allotted'],
  ['localhost', false, 'no address at all'],
]

for (const [address, isPublic, what] of verdicts) {
  test(`${address} (${what}) is ${isPublic ? '' : 'not '}public`, () => {
    assert.equal(isPublicAddress(address), isPublic)
  })
}

const answer = (address: string) => ({ address, family: address.includes(':') ? 6 : 4 })

async function post(url: string, settings: Parameters<typeof createAddressGuard>[0]) {
  const agent = createGuardedAgent({ guard: createAddressGuard(settings), connections: 1, connectTimeoutMs: 500 })
  const result = await exchange(agent, {
    url: new URL(url),
    method: 'POST',
    headers: {},
    timeoutMs: 500,
    maxBodyBytes: 100,
    signal: new AbortController().signal,
  })
  await agent.destroy()
  return result.kind === 'failed' ? { fault: result.fault, sent: result.sent } : result.status
}

const refused = { fault: 'address_refused', sent: false }

for (const host of ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1', '0177.0.0.1', '127.0.0.1.']) {
  test(`the literal ${host} is refused before a connection is made`, async () => {
    await using server = await startHttpServer((response) => response.end())
    assert.deepEqual(await post(`http://${host}:${server.port}/`, {}), refused)
    assert.equal(server.received.length, 0)
  })
}

test('a name that resolves to a private address is refused at connect time', async () => {
  await using server = await startHttpServer((response) => response.end())
  const resolve = async () => [answer('127.0.0.1')]
  assert.deepEqual(await post(`http://public.example:${server.port}/`, { resolve }), refused)
  assert.equal(server.received.length, 0)
})

test('one private answer among public ones refuses the name', async () => {
  const resolve = async () => [answer('93.184.215.14'), answer('::1')]
  assert.deepEqual(await post('http://mixed.example:9/', { resolve }), refused)
})

test('the system resolver is judged as any other: localhost is refused', async () => {
  assert.deepEqual(await post('http://localhost:9/', {}), refused)
})

test('a name is resolved once, and the connection goes to the address that was judged', async () => {
  await using server = await startHttpServer((response) => response.end())
  const asked: string[] = []
  const resolve = async (name: string) => {
    asked.push(name)
    return [answer('127.0.0.1')]
  }
  assert.equal(await post(`http://hook.example:${server.port}/`, { resolve, allowedHosts: ['HOOK.example'] }), 200)
  assert.deepEqual(asked, ['hook.example'])
})

test('an allowed host exempts no other, and a literal may be one', async () => {
  await using server = await startHttpServer((response) => response.end())
  assert.equal(await post(`http://127.0.0.1:${server.port}/`, { allowedHosts: ['127.0.0.1'] }), 200)
  assert.deepEqual(await post(`http://127.0.0.2:${server.port}/`, { allowedHosts: ['127.0.0.1'] }), refused)
})

test('private addresses may be allowed as a whole', async () => {
  await using server = await startHttpServer((response) => response.end())
  assert.equal(await post(`http://localhost:${server.port}/`, { allowPrivateAddresses: true }), 200)
})

test('a name that does not resolve is a fault of the connection', async () => {
  const resolve = () => Promise.reject(Object.assign(new Error('nowhere.example'), { code: 'ENOTFOUND' }))
  assert.deepEqual(await post('http://nowhere.example/', { resolve }), { fault: 'connection', sent: false })
  assert.deepEqual(await post('http://empty.example/', { resolve: async () => [] }), {
    fault: 'connection',
    sent: false,
  })
})
