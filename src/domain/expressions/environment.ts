import {
  type CelEnv,
  type CelFunc,
  type CelResult,
  type CelValue,
  celEnv,
  celError,
  isCelError,
  isCelList,
  isCelMap,
} from '@bufbuild/cel'
import { expressionLimits } from './expression-limits.ts'
import { concatLists } from './json-values.ts'
import { refuse, spend } from './meter.ts'
import { patternFunctions } from './pattern-functions.ts'
import { quickOperators } from './quick-operators.ts'
import { textFunctions } from './text-functions.ts'
import { timeFunctions } from './time-functions.ts'

/** All overloads of one name, as the library's planner finds and calls them. */
interface FunctionGroup extends Iterable<CelFunc> {
  readonly name: string
  call(id: number, target: CelValue | undefined, args: CelValue[]): CelResult | undefined
}

/** The name that a comprehension's range is wrapped in; nobody can write it. */
export const meteredRange = '@range'

/** Functions whose work grows with all that their arguments hold; the others look at no more than texts. */
const deepFunctions = new Set(['@in', 'format', 'join'])

/** Functions that go over a text by characters in JavaScript: a unit pays for four of them, elsewhere for 64. */
const slowFunctions = new Set(['lowerAscii', 'upperAscii', 'trim', 'replace', 'split', 'format', 'strings.quote'])

/** Functions that look for one text in another: in the worst case at each place of it for all of the other. */
const searchFunctions = new Set(['contains', 'indexOf', 'lastIndexOf', 'replace', 'split'])

/** What a call costs besides; formatting a number makes a formatter. */
const extraCost: Readonly<Record<string, number>> = { format: 100, matches: 10, timestamp: 5, duration: 5 }

/**
 * The environment in which all expressions are checked and evaluated: the standard functions and the string extensions, each
 * drawing on the meter, and operators that take the short way for plain values.
 */
export function createEnvironment(options: { namespace?: string; registry?: CelEnv['registry'] } = {}): CelEnv {
  const env = celEnv({ ...options, funcs: [...textFunctions, ...timeFunctions, ...patternFunctions] })
  const groups = new Map<string, FunctionGroup>()
  for (const { name } of env.funcs) {
    if (!groups.has(name)) groups.set(name, metered(env.funcs.find(name) as FunctionGroup))
  }
  groups.set(meteredRange, rangeGroup)
  const funcs = { find: (name: string) => groups.get(name), [Symbol.iterator]: () => env.funcs[Symbol.iterator]() }
  return Object.create(env, { funcs: { value: funcs } }) as CelEnv
}

function metered(group: FunctionGroup): FunctionGroup {
  const quick = quickOperators[group.name]
  const isDeep = deepFunctions.has(group.name)
  const shift = slowFunctions.has(group.name) ? 2 : 6
  const extra = extraCost[group.name] ?? 0
  const isSearch = searchFunctions.has(group.name)
  const isConcat = group.name === '_+_'
  const isEquality = group.name === '_==_' || group.name === '_!=_'
  return {
    name: group.name,
    [Symbol.iterator]: () => group[Symbol.iterator](),
    call(id, target, args) {
      try {
        if (quick) {
          const result = quick(args[0], args[1])
          if (result !== undefined) return result
        }
        const [left, right] = args
        if (extra > 0) spend(extra)
        if (target !== undefined) charge(target, shift, isDeep)
        if (isSearch) chargeSearch(target, left)
        if (isEquality) chargeComparison(left, right)
        else for (const arg of args) charge(arg, shift, isDeep && !(group.name === '@in' && isCelMap(arg)))
        const result =
          isConcat && isCelList(left) && isCelList(right) ? concat(left, right) : group.call(id, target, args)
        if (result !== undefined && result !== left && !isCelError(result)) limit(result)
        return result
      } catch (error) {
        return celError(error, id)
      }
    },
  }
}

function concat(left: Parameters<typeof concatLists>[0], right: Parameters<typeof concatLists>[0]) {
  spend(1 + right.size)
  if (left.size + right.size > expressionLimits.listLength) refuse()
  return concatLists(left, right)
}

function charge(value: CelValue, shift: number, isDeep: boolean): void {
  if (typeof value === 'string') spend(1 + (value.length >> shift))
  else if (typeof value !== 'object' || value === null) spend(1)
  else if (value instanceof Uint8Array) spend(1 + (value.length >> shift))
  else if (isDeep && isCelList(value)) {
    spend(1)
    for (const item of value) charge(item, shift, true)
  } else if (isDeep && isCelMap(value)) {
    spend(1 + 4 * value.size)
    for (const item of value.values()) charge(item, shift, true)
  } else spend(1)
}

function chargeSearch(text: CelValue | undefined, sought: CelValue | undefined): void {
  if (typeof text !== 'string' || typeof sought !== 'string') return
  spend(Math.floor((Math.max(0, text.length - sought.length) * sought.length) / 512))
}

/** Two lists or maps are compared part by part until they differ, which is no more than the parts of one. */
function chargeComparison(left: CelValue | undefined, right: CelValue | undefined): void {
  const areAlike = (isCelList(left) && isCelList(right)) || (isCelMap(left) && isCelMap(right))
  if (areAlike) charge(left, 6, left.size === right.size)
  else for (const value of [left, right]) charge(value ?? null, 6, false)
}

function limit(result: CelValue): void {
  if (typeof result === 'string' || result instanceof Uint8Array) {
    if (result.length > expressionLimits.textLength) refuse()
    spend(result.length >> 6)
  } else if (isCelList(result)) {
    if (result.size > expressionLimits.listLength) refuse()
    spend(result.size >> 3)
  }
}

/** Draws, before a comprehension begins, what its iterations will cost: the number of elements times the second argument. */
const rangeGroup: FunctionGroup = {
  name: meteredRange,
  *[Symbol.iterator]() {},
  call(id, _target, [range, weight]) {
    try {
      if (isCelList(range) || isCelMap(range)) spend(1 + range.size * Number(weight))
      return range
    } catch (error) {
      return celError(error, id)
    }
  },
}
