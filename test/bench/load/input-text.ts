import { eventInputOf, inputOf, type LoadProfile, priorityOf, recipientCount } from './load-item.ts'

/** Mark the places of numbers in a serialised input; no text of the load holds them. */
const marks = { number: '\u241f', customer: '\u241e', phase: '\u241d', intendedMs: '\u241c' }
type Slot = keyof typeof marks
const slots = new Map(Object.entries(marks).map(([slot, mark]) => [mark, slot as Slot]))
const anyMark = new RegExp(`([${Object.values(marks).join('')}])`)

/**
 * Writes inputs of the GraphQL API as JSON. Everything but the numbers is serialised once: the generator shares the
 * cores with what it measures, and JSON.stringify of every input would be most of what it does.
 */
export function createInputWriter(profile: LoadProfile): (number: number, phase: number, intendedMs: number) => string {
  const texts = new Map(
    [...new Set(profile.priorities ?? [undefined])].map((priority) => [priority, piecesOf(priority)]),
  )

  function piecesOf(priority: ReturnType<typeof priorityOf>): string[] {
    const { run, channel, asEvents } = profile
    const item = { number: 0, phase: 0, intendedMs: 0, run, channel, priority }
    const { idempotencyKey, recipient, ...request } = inputOf(item)
    const keyOf = (key: string) => key.replace(/0-shipped$/, `${marks.number}-shipped`)
    const ofCustomer = (text: string) => text.replace('customer-0', `customer-${marks.customer}`)
    const holes = { order: `A-${marks.number}`, phase: marks.phase, intendedMs: marks.intendedMs }
    const event = eventInputOf(item)
    const holed = asEvents
      ? {
          ...event,
          id: keyOf(event.id),
          data: { ...event.data, ...holes, customerId: ofCustomer(event.data.customerId) },
        }
      : {
          ...request,
          idempotencyKey: keyOf(idempotencyKey),
          recipient: Object.fromEntries(Object.entries(recipient).map(([field, value]) => [field, ofCustomer(value)])),
          data: { ...request.data, ...holes },
        }
    return splitAtMarks(JSON.stringify(holed))
  }

  return (number, phase, intendedMs) => {
    const pieces = texts.get(priorityOf(number, profile))!
    const values = { number, customer: number % recipientCount, phase, intendedMs }
    let text = pieces[0]!
    for (let at = 1; at < pieces.length; at += 2) text += `${values[pieces[at] as Slot]}${pieces[at + 1]}`
    return text
  }
}

/** Texts, and between them the names of what stands there. A number that is a whole value stands without the quotes of its mark. */
function splitAtMarks(json: string): string[] {
  const bare = Object.values(marks).reduce((text, mark) => text.replaceAll(`"${mark}"`, mark), json)
  return bare.split(anyMark).map((piece) => slots.get(piece) ?? piece)
}
