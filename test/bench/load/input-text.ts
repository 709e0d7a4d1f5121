import { inputOf, type LoadProfile, priorityOf, recipientCount } from './load-item.ts'

/** Marks the places of the numbers in a serialised input; no text of the load holds it. */
const mark = '\u241f'

/**
 * Writes inputs of the GraphQL API as JSON. Everything but the numbers is serialised once: the generator shares the
 * cores with what it measures, and JSON.stringify of every input would be most of what it does.
 */
export function createInputWriter(profile: LoadProfile): (number: number, phase: number, intendedMs: number) => string {
  const texts = new Map(
    [...new Set(profile.priorities ?? [undefined])].map((priority) => [priority, piecesOf(priority)]),
  )

  function piecesOf(priority: ReturnType<typeof priorityOf>): string[] {
    const { run, channel } = profile
    const input = inputOf({ number: 0, phase: 0, intendedMs: 0, run, channel, priority })
    const { recipient, data } = input
    const holed = {
      ...input,
      idempotencyKey: input.idempotencyKey.replace(/0-shipped$/, `${mark}-shipped`),
      recipient: Object.fromEntries(
        Object.entries(recipient).map(([field, value]) => [field, value.replace('customer-0', `customer-${mark}`)]),
      ),
      data: { ...data, order: `A-${mark}`, phase: mark, intendedMs: mark },
    }
    // A number stands without the quotes that its mark has.
    return JSON.stringify(holed).replaceAll(`"${mark}"`, mark).split(mark)
  }

  const hasAddress = profile.channel === 'email'
  return (number, phase, intendedMs) => {
    const pieces = texts.get(priorityOf(number, profile))!
    const customer = number % recipientCount
    const head = `${pieces[0]}${number}${pieces[1]}${customer}${pieces[2]}`
    const rest = hasAddress ? `${customer}${pieces[3]}${number}${pieces[4]}` : `${number}${pieces[3]}`
    const last = hasAddress ? 5 : 4
    return `${head}${rest}${phase}${pieces[last]}${intendedMs}${pieces[last + 1]}`
  }
}
