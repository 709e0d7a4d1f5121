import { z } from 'zod'
import { type Channel, channels } from '../../domain/channel.ts'
import type { InputFault } from './input-fault.ts'
import { email, faultsOf, indexed, jsonObject, locale, oneLine, timezone, webUrl } from './validate-fields.ts'

export const maxContactPoints = 50
const maxAttributesBytes = 65_536

const names = z
  .array(oneLine(200).refine((name) => name !== '', 'must not be empty'))
  .max(100, 'must be at most 100')
  .transform((all) => [...new Set(all)])

const addressOf: Partial<Record<Channel, z.ZodType<string>>> = { email, webhook: webUrl }

/** An address on a channel, as whoever keeps recipients writes it. null is as good as absent. */
export const contactPoint = z
  .strictObject({
    channel: z.enum(channels, `must be one of ${channels.join(', ')}`),
    address: indexed(1_024),
    deviceId: indexed(255).nullish(),
    verified: z.boolean().nullish(),
  })
  .superRefine((point, check) => {
    const judged = addressOf[point.channel]?.safeParse(point.address)
    if (judged?.success === false) {
      check.addIssue({ code: 'custom', path: ['address'], message: judged.error.issues[0]!.message })
    }
  })
  .transform(({ channel, address, deviceId, verified }) => ({
    channel,
    address,
    deviceId: deviceId ?? undefined,
    verified: verified ?? undefined,
  }))

export const recipientId = oneLine(255).refine((value) => value !== '', 'must not be empty')
export const invalidReason = oneLine(200).refine((value) => value !== '', 'must not be empty')

const profile = z.strictObject({
  id: recipientId,
  name: oneLine(2048).nullish(),
  locale: locale.nullish(),
  timezone: timezone.nullish(),
  enabled: z.boolean().nullish(),
  roles: names.nullish(),
  groups: names.nullish(),
  attributes: jsonObject
    .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= maxAttributesBytes, 'must be at most 64 KiB')
    .nullish(),
  contactPoints: z.array(contactPoint).max(maxContactPoints, `must be at most ${maxContactPoints}`).nullish(),
})

/** A recipient as told: what is absent was not said, and null says that there is none. */
export type RecipientInput = z.output<typeof profile>

/** Judges what is said of a recipient. `path` is where it stands in the request. */
export function validateRecipient(
  input: unknown,
  path: readonly string[],
): { ok: true; said: RecipientInput } | { ok: false; faults: InputFault[] } {
  const judged = profile.safeParse(input)
  return judged.success ? { ok: true, said: judged.data } : { ok: false, faults: faultsOf(judged.error, path) }
}
