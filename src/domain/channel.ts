/** The kinds of medium. The position in this list is the last byte of a delivery's id: append, never reorder. */
export const channels = [
  'email',
  'sms',
  'voice',
  'push',
  'browser_push',
  'slack',
  'telegram',
  'discord',
  'webhook',
  'pagerduty',
  'in_app',
  'audit',
] as const

export type Channel = (typeof channels)[number]

/** The channel's number, from 1, as it stands in the last byte of a delivery id. */
export function channelCode(channel: Channel): number {
  return channels.indexOf(channel) + 1
}

/** The channel a delivery id names; undefined for the id of a notification or an intent. */
export function channelOfCode(code: number): Channel | undefined {
  return channels[code - 1]
}
