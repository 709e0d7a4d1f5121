import type { CelValue } from '@bufbuild/cel'

/** undefined: not for these values, the library's overloads are asked. */
type Operator = (left: CelValue | undefined, right: CelValue | undefined) => CelValue | undefined

/**
 * Operators on plain values, which nearly all conditions consist of. They also let an int and a double be added, subtracted,
 * multiplied and divided, as doubles: JSON writes 100.00 as 100, and a rule over prices must not fail on the round ones.
 */
export const quickOperators: Readonly<Record<string, Operator>> = Object.assign(Object.create(null), {
  '_<_': ordered((left, right) => left < right),
  '_<=_': ordered((left, right) => left <= right),
  '_>_': ordered((left, right) => left > right),
  '_>=_': ordered((left, right) => left >= right),
  '_==_': equal,
  '_!=_': different,
  '!_': (value) => (typeof value === 'boolean' ? !value : undefined),
  '_+_': added,
  '_-_': subtracted,
  '_*_': ofNumbers((left, right) => left * right),
  '_/_': ofNumbers((left, right) => left / right),
} satisfies Record<string, Operator>)

/** Comparing longer ones is charged for. */
const shortText = 1024

function ordered(compare: (left: bigint | number | string, right: bigint | number | string) => boolean): Operator {
  return (left, right) => {
    if (typeof left === 'bigint' && typeof right === 'bigint') return compare(left, right)
    if (typeof left === 'number' && typeof right === 'number') return compare(left, right)
    if (typeof left === 'string' && typeof right === 'string' && left.length < shortText) return compare(left, right)
    return undefined
  }
}

function equal(left: CelValue | undefined, right: CelValue | undefined): boolean | undefined {
  if (typeof left === 'object' || typeof right === 'object') return undefined
  if (typeof left === 'string' && typeof right === 'string' && left.length >= shortText) return undefined
  if (typeof left === typeof right) return left === right
  // An int may equal a double, which the library compares; other kinds never equal each other.
  return isNumber(left) && isNumber(right) ? undefined : false
}

function different(left: CelValue | undefined, right: CelValue | undefined): boolean | undefined {
  const result = equal(left, right)
  return result === undefined ? undefined : !result
}

const addNumbers = ofNumbers((left, right) => left + right)
const subtractNumbers = ofNumbers((left, right) => left - right)

function added(left: CelValue | undefined, right: CelValue | undefined): CelValue | undefined {
  if (typeof left === 'bigint' && typeof right === 'bigint') return inRange(left + right)
  return addNumbers(left, right)
}

function subtracted(left: CelValue | undefined, right: CelValue | undefined): CelValue | undefined {
  if (typeof left === 'bigint' && typeof right === 'bigint') return inRange(left - right)
  return subtractNumbers(left, right)
}

function inRange(value: bigint): bigint | undefined {
  return BigInt.asIntN(64, value) === value ? value : undefined
}

function isNumber(value: unknown): value is bigint | number {
  return typeof value === 'bigint' || typeof value === 'number'
}

function ofNumbers(compute: (left: number, right: number) => number): Operator {
  return (left, right) => {
    if (typeof left === 'number') {
      if (typeof right === 'number') return compute(left, right)
      if (typeof right === 'bigint') return compute(left, Number(right))
    } else if (typeof left === 'bigint' && typeof right === 'number') return compute(Number(left), right)
    return undefined
  }
}
