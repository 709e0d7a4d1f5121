/**
 * How fast a bridge lands what waits on a topic: `node test/bench/bridge-landing.ts [messages] [partitions]`, with
 * KAFKA_BROKERS and TEST_POSTGRES_URL or servers of its own. Nothing plans or sends beside it.
 */
import { CompressionTypes } from 'kafkajs'
import { startKafka } from '../support/kafka-broker.ts'
import { createWorld } from '../support/world.ts'
import { createRig, request } from '../workers/bridge-rig.ts'

const [messages = 60_000, partitions = 6] = process.argv.slice(2).map(Number)
const kafka = await startKafka()
const world = await createWorld()
const rig = await createRig(world, kafka.brokers)
const topic = await rig.topic('requests', partitions)
for (let at = 0; at < messages; at += 2_000) {
  const batch = Array.from({ length: 2_000 }, (_, index) => ({
    key: `${at + index}`,
    value: request(world.tenant, `${at + index}`),
  }))
  await rig.send(topic, batch, CompressionTypes.GZIP)
}
const cpu = process.cpuUsage()
const started = performance.now()
const watched = rig.start(['$requests=request'], { lookEveryMs: 15_000 })
const landed = () => watched.outcomes.get('accepted') ?? 0
let first = 0
while (landed() < messages) {
  await new Promise((resolve) => setTimeout(resolve, 20))
  if (first === 0 && landed() > 0) first = performance.now()
}
const seconds = (performance.now() - first) / 1_000
const { user, system } = process.cpuUsage(cpu)
console.log(
  `${messages} messages on ${partitions} partitions landed in ${seconds.toFixed(2)} s: ${Math.round(messages / seconds)}/s; ` +
    `${((user + system) / messages).toFixed(0)} µs of this process's CPU each; the first after ${((first - started) / 1_000).toFixed(2)} s; ` +
    `${Math.round(process.memoryUsage().rss / 1e6)} MB`,
)
const there = await rig.intents()
if (there !== messages) throw new Error(`${there} intents of ${messages} messages`)
await rig.close()
await kafka.stop()
process.exit()
