import { CelScalar, celMethod } from '@bufbuild/cel'
import { RE2JS } from '@bufbuild/re2'
import { ExpressionError } from './expression-fault.ts'
import { expressionLimits } from './expression-limits.ts'
import { spend } from './meter.ts'

interface Pattern {
  compiled: RE2JS
  instructions: number
  /** Characters that it went over; what it remembers of them grows with them. */
  seen: number
}

/**
 * Compiled once for all that use them, the least used leave. RE2 takes time in proportion to the text whatever the pattern, and
 * remembers states by which it goes faster; these are bounded too.
 */
const compiledPatterns = new Map<string, Pattern>()
const keptPatterns = 1000
const keptStates = 500
const forgetAfter = 1_000_000

/** What is wrong with a regular expression; undefined: nothing. For literals, when an expression is saved. */
export function patternFault(pattern: string): string | undefined {
  try {
    compilePattern(pattern)
    return undefined
  } catch (error) {
    if (error instanceof ExpressionError) return error.message
    return error instanceof Error ? error.message : 'it is not a regular expression'
  }
}

function compilePattern(text: string): Pattern {
  let pattern = compiledPatterns.get(text)
  if (pattern) compiledPatterns.delete(text)
  else {
    if (text.length > expressionLimits.patternLength || repeatsTooOften(text)) throw new ExpressionError('pattern')
    const compiled = compile(text)
    const instructions = compiled.re2().prog.numInst()
    if (instructions > expressionLimits.patternProgram) throw new ExpressionError('pattern')
    pattern = { compiled, instructions, seen: 0 }
    if (compiledPatterns.size >= keptPatterns) compiledPatterns.delete(compiledPatterns.keys().next().value!)
  }
  compiledPatterns.set(text, pattern)
  return pattern
}

function compile(text: string): RE2JS {
  const compiled = RE2JS.compile(text)
  compiled.re2().dfa.stateLimit = keptStates
  return compiled
}

/** RE2 itself refuses nested repeats beyond 1,000; a class of Unicode is hundreds of ranges each time. */
function repeatsTooOften(text: string): boolean {
  const weight = /\\p/i.test(text) ? 20 : 1
  let repeats = 0
  for (const [, least, most] of text.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) repeats += Number(most || least) * weight
  return repeats > expressionLimits.patternRepeats
}

function matches(this: string, text: string): boolean {
  const isNew = !compiledPatterns.has(text)
  if (isNew) spend(expressionLimits.patternCost)
  let pattern: Pattern
  try {
    pattern = compilePattern(text)
  } catch {
    throw new ExpressionError('pattern')
  }
  spend(Math.ceil((this.length * pattern.instructions) / 8))
  pattern.seen += this.length
  if (pattern.seen > forgetAfter) Object.assign(pattern, { compiled: compile(text), seen: this.length })
  return pattern.compiled.test(this)
}

export const patternFunctions = [celMethod('matches', CelScalar.STRING, [CelScalar.STRING], CelScalar.BOOL, matches)]
