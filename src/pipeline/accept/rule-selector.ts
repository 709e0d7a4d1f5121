import { z } from 'zod'
import type { Channel } from '../../domain/channel.ts'
import type { RecipientRef } from '../../domain/intent.ts'
import type { RecipientSelector } from '../../domain/rule.ts'
import { camelKeys, namesOf } from './rule-json.ts'
import { recipientTexts } from './send-rules.ts'
import { anyText, told } from './text-rules.ts'
import { orAbsent } from './validate-fields.ts'

/** What a selector may say of itself; each needs the list it is named for, and may have others beside it. */
const listOf = {
  user: 'userIds',
  role: 'roles',
  group: 'groups',
  dynamic: 'expression',
  inline: 'addresses',
} as const

const maxNames = 1_000
const pagerdutyKey = told(anyText(1, 2048))

const inlineFields = {
  email: orAbsent(told(recipientTexts.email)),
  phone: orAbsent(told(recipientTexts.phone)),
  slackId: orAbsent(told(recipientTexts.slackId)),
  telegramId: orAbsent(told(recipientTexts.telegramId)),
  discordId: orAbsent(told(recipientTexts.discordId)),
  webhookUrl: orAbsent(told(recipientTexts.webhookUrl)),
  pagerdutyKey: orAbsent(pagerdutyKey),
}

const person = z
  .strictObject({
    id: orAbsent(told(recipientTexts.id)),
    ...inlineFields,
    name: orAbsent(told(recipientTexts.name)),
    locale: orAbsent(told(recipientTexts.locale)),
    timezone: orAbsent(told(recipientTexts.timezone)),
  })
  .superRefine((value, check) => {
    const addresses = Object.keys(inlineFields) as (keyof typeof inlineFields)[]
    if (value.id === undefined && addresses.every((field) => value[field] === undefined)) {
      check.addIssue({ code: 'custom', message: 'needs an id or an address' })
    }
  })
  .transform((value): RecipientRef => ({ type: 'user', ...value }))

/** In which field of a recipient the address of a channel stands. */
const fieldOf: Partial<Record<Channel, keyof typeof inlineFields>> = {
  email: 'email',
  sms: 'phone',
  voice: 'phone',
  slack: 'slackId',
  telegram: 'telegramId',
  discord: 'discordId',
  webhook: 'webhookUrl',
  pagerduty: 'pagerdutyKey',
}

/** Whose address is a person's; others are targets: a Slack channel, the service of a pager, nobody with preferences. */
const ofPersons = new Set<Channel>(['email', 'sms', 'voice'])

/** An address by its channel. */
const target = z
  .strictObject({
    channel: z.preprocess(
      (value) => (typeof value === 'string' ? value.toLowerCase() : value),
      z.enum(Object.keys(fieldOf) as (keyof typeof fieldOf)[], {
        error: `must be among ${Object.keys(fieldOf).join(', ')}`,
      }),
    ),
    address: z.string(),
    name: orAbsent(told(recipientTexts.name)),
  })
  .transform((value, check): RecipientRef => {
    const field = fieldOf[value.channel]!
    const judged = inlineFields[field].safeParse(value.address)
    if (!judged.success) {
      check.addIssue({ code: 'custom', path: ['address'], message: judged.error.issues[0]!.message })
    }
    const type = ofPersons.has(value.channel) ? 'user' : 'system'
    return { type, [field]: value.address, ...(value.name === undefined ? {} : { name: value.name }) }
  })

const address = z.unknown().transform((value, check): RecipientRef => {
  const said = typeof value === 'string' ? fromText(value) : byFields(camelKeys(value))
  const judged = isTarget(said) ? target.safeParse(said) : person.safeParse(said)
  if (judged.success) return judged.data
  for (const { path, message } of judged.error.issues)
    check.addIssue({ code: 'custom', path: path as string[], message })
  return z.NEVER
})

/** Where a channel's name stands for the field, as in `{ slack: "#ops" }`. */
function byFields(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || isTarget(value)) return value
  const named = Object.entries(value).map(([key, member]) => [fieldOf[key as Channel] ?? key, member])
  return Object.fromEntries(named)
}

const isTarget = (value: unknown): boolean => typeof value === 'object' && value !== null && 'channel' in value

function fromText(text: string): object {
  if (/^https?:\/\//i.test(text)) return { webhookUrl: text }
  if (/^\+\d/.test(text)) return { phone: text }
  return { email: text }
}

const fields = z.strictObject({
  type: orAbsent(
    z.preprocess(
      (value) => (typeof value === 'string' ? value.toLowerCase() : value),
      z.enum(Object.keys(listOf) as (keyof typeof listOf)[], {
        error: `must be among ${Object.keys(listOf).join(', ')}`,
      }),
    ),
  ),
  userIds: orAbsent(namesOf(255, maxNames)),
  roles: orAbsent(namesOf(200, maxNames)),
  groups: orAbsent(namesOf(200, maxNames)),
  expression: orAbsent(told(anyText(1, 4_096))),
  addresses: z.preprocess(
    (value) => (Array.isArray(value) || value === null || value === undefined ? value : [value]),
    orAbsent(z.array(address).max(maxNames, `must be at most ${maxNames}`)),
  ),
})

/** Whom a rule names, as JSON. */
export const recipientSelector = z
  .preprocess(camelKeys, fields)
  .superRefine((value, check) => {
    const says = (name: (typeof listOf)[keyof typeof listOf]) => (value[name]?.length ?? 0) > 0
    if (value.type !== undefined && !says(listOf[value.type])) {
      const path = [listOf[value.type]]
      check.addIssue({ code: 'custom', path, message: `is needed in a selector of the type ${value.type}` })
    } else if (!Object.values(listOf).some(says)) {
      check.addIssue({ code: 'custom', message: `names nobody: it needs ${Object.values(listOf).join(', ')}` })
    }
  })
  .transform((said): RecipientSelector => {
    return Object.fromEntries(Object.entries(said).filter(([, list]) => list !== undefined && list.length > 0))
  })

/** The selector as it is said in JSON: the opposite of the above. */
export function selectorJson(selector: RecipientSelector): Record<string, unknown> {
  const { addresses, ...rest } = selector
  return { ...rest, ...(addresses ? { addresses: addresses.map(addressJson) } : {}) }
}

function addressJson({ type, ...said }: RecipientRef): object {
  if (type !== 'system') return said
  const [channel, field] = Object.entries(fieldOf).find(([, field]) => said[field] !== undefined)!
  return { channel, address: said[field], ...(said.name === undefined ? {} : { name: said.name }) }
}
