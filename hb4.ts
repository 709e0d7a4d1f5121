import { decide } from './src/domain/decide.ts'
import { nextOccurrence } from './src/domain/time/recurrence.ts'
const now = new Date('2026-11-20T22:30:00Z')
const base = { enabled: true, roles: [], groups: [], attributes: {}, consents: {}, suppressions: {}, type: 'user' as const, id: 'a', known: true, addresses: { email: 'a@b.c', sms: '+1' }, timezone: 'Europe/Berlin' }
const want = { type: 'commerce.order.shipped', priority: 1, acceptedAt: now, channels: ['email' as const] }
const settings = { enabledChannels: [], defaultChannels: ['email' as const] }
const none = new Map()
const cats = new Map([['orders', { name: 'orders', required: false, marketing: false, enabled: true, frequency: 'instant' as const, onExcess: 'snooze' as const }]])
const prefs = { version: 3, said: { enabled: true, channels: { sms: { enabled: false } }, categories: { orders: { enabled: true, channels: ['email' as const, 'in_app' as const], minPriority: 0 } }, quietHours: { enabled: true, startTime: '22:00', endTime: '07:00', allowCritical: true } } }
const run = (name: string, f: (i: number) => unknown, n = 300000) => { for (let i = 0; i < 20000; i++) f(i); const t = performance.now(); for (let i = 0; i < n; i++) f(i); console.log(name, ((performance.now() - t) / n * 1000).toFixed(2), 'us') }
run('nothing set', () => decide(want, base, { settings, categories: none }, now))
run('no channels asked', () => decide({ ...want, channels: undefined }, base, { settings, categories: none }, now))
run('category', () => decide({ ...want, category: 'orders' }, base, { settings, categories: cats }, now))
run('preferences+quiet', () => decide({ ...want, category: 'orders' }, { ...base, preferences: prefs }, { settings, categories: cats }, now))
const day = new Date('2026-11-20T12:30:00Z')
run('preferences+quiet, not quiet', () => decide({ ...want, category: 'orders' }, { ...base, preferences: prefs }, { settings, categories: cats }, day))
run('localTime', () => decide({ ...want, schedule: { localTime: '09:00' } }, base, { settings, categories: none }, now))
const zones = Intl.supportedValuesOf('timeZone')
const t = performance.now()
for (const z of zones) decide({ ...want, schedule: { localTime: '09:00' } }, { ...base, timezone: z }, { settings, categories: none }, now)
console.log('first of', zones.length, 'zones', (performance.now() - t).toFixed(0), 'ms', (process.memoryUsage().rss/1e6).toFixed(0))
run('zones', (i) => decide({ ...want, category:'orders' }, { ...base, timezone: zones[i % zones.length]!, preferences: prefs }, { settings, categories: cats }, now))
console.log(JSON.stringify(decide({ ...want, category: 'orders' }, { ...base, preferences: prefs }, { settings, categories: cats }, now)))
run('cron', (i) => nextOccurrence({ cron: '0 9 * * *' }, new Date(now.getTime() + i * 1000), 'Europe/Berlin'))
run('cron zones', (i) => nextOccurrence({ cron: '0 9 * * *' }, new Date(now.getTime() + i * 1000), zones[i % zones.length]), 20000)
