import { type CelFunc, type CelList, CelScalar, celFunc, celList, celMethod, celUint, listType } from '@bufbuild/cel'
import { strings } from '@bufbuild/cel/ext'
import { ExpressionError } from './expression-fault.ts'
import { expressionLimits } from './expression-limits.ts'
import { refuse } from './meter.ts'

const { DOUBLE, INT, STRING, UINT } = CelScalar
const LIST = listType(CelScalar.DYN)

/** Counts what would come out before it is made. */
function replace(this: string, what: string, by: string, most?: bigint): string {
  const limit = most === undefined || most < 0n ? Number.POSITIVE_INFINITY : Number(most)
  const parts = what === '' ? ['', ...this, ''] : this.split(what)
  const times = Math.min(limit, parts.length - 1)
  if (this.length + times * (by.length - what.length) > expressionLimits.textLength) refuse()
  if (times === parts.length - 1) return parts.join(by)
  return (
    parts
      .slice(0, times)
      .map((part) => part + by)
      .join('') + parts.slice(times).join(what)
  )
}

function join(this: CelList, separator = ''): string {
  const parts: string[] = []
  let length = 0
  for (const part of this) {
    if (typeof part !== 'string') throw new ExpressionError('type')
    length += part.length + separator.length
    if (length > expressionLimits.textLength + separator.length) refuse()
    parts.push(part)
  }
  return parts.join(separator)
}

const formatOfLibrary = strings.find(({ name }) => name === 'format')!

/** `%.2f` takes ints as well: JSON writes 100.00 as 100. */
function format(this: string, args: CelList): string {
  const values = [...args]
  let index = 0
  for (const [, clause] of this.matchAll(/%(?:\.\d+)?(.)/g)) {
    if (clause === '%') continue
    const value = values[index]
    if ((clause === 'f' || clause === 'e') && typeof value === 'bigint') values[index] = Number(value)
    index += 1
  }
  const result = formatOfLibrary.call(0, this, [celList(values)])
  if (typeof result !== 'string') throw result
  return result
}

/** In code points, without making a list of them. */
function sizeOf(text: string): bigint {
  let pairs = 0
  for (let index = 1; index < text.length; index += 1) {
    if ((text.charCodeAt(index) & 0xfc00) === 0xdc00 && (text.charCodeAt(index - 1) & 0xfc00) === 0xd800) pairs += 1
  }
  return BigInt(text.length - pairs)
}

const wholeNumber = /^[+-]?\d{1,20}$/
const decimal = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|infinity|nan)$/i

function intOf(text: string): bigint {
  if (!wholeNumber.test(text)) throw new ExpressionError('conversion')
  const value = BigInt(text.replace(/^\+/, ''))
  if (BigInt.asIntN(64, value) !== value) throw new ExpressionError('arithmetic')
  return value
}

function uintOf(text: string) {
  if (!/^\d{1,20}$/.test(text)) throw new ExpressionError('conversion')
  const value = BigInt(text)
  if (BigInt.asUintN(64, value) !== value) throw new ExpressionError('arithmetic')
  return celUint(value)
}

function doubleOf(text: string): number {
  if (text.length > 400 || !decimal.test(text)) throw new ExpressionError('conversion')
  const lower = text.toLowerCase()
  if (lower.endsWith('nan')) return Number.NaN
  if (lower.includes('inf')) return lower.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  return Number(text)
}

/** The string extensions of CEL, and conversions that refuse what the library's let through (`int('')`, `double('x')`). */
export const textFunctions: CelFunc[] = [
  ...strings,
  celMethod('replace', STRING, [STRING, STRING], STRING, replace),
  celMethod('replace', STRING, [STRING, STRING, INT], STRING, replace),
  celMethod('join', LIST, [], STRING, join),
  celMethod('join', LIST, [STRING], STRING, join),
  celMethod('format', STRING, [LIST], STRING, format),
  celFunc('size', [STRING], INT, sizeOf),
  celMethod('size', STRING, [], INT, function () {
    return sizeOf(this)
  }),
  celFunc('int', [STRING], INT, intOf),
  celFunc('uint', [STRING], UINT, uintOf),
  celFunc('double', [STRING], DOUBLE, doubleOf),
]
