/**
 * What one evaluation may still cost, in units of about one evaluated node. Evaluation is synchronous, so one meter serves
 * the process: it is set at the start of each evaluation, and everything that can grow with the data draws on it.
 */
const meter = { budget: 0, left: 0, exhausted: false }

/** What several evaluations may still cost together. */
export interface Purse {
  left: number
}

let purse: Purse | undefined

/** Has the evaluations within `work` draw on a purse as well. */
export function drawingOn<T>(given: Purse, work: () => T): T {
  const outer = purse
  purse = given
  try {
    return work()
  } finally {
    purse = outer
  }
}

/** Whether nothing is left of the purse, so that an evaluation is not even begun. */
export function isSpent(): boolean {
  return purse !== undefined && purse.left <= 0
}

/** Takes the last evaluation, and what it costs in any case, out of the purse. */
export function settleLast(nodes: number): void {
  if (purse) purse.left -= nodes + costOfLast()
}

/** Thrown inside an evaluation; the evaluator tells it from other errors by `isExhausted`, as CEL's `||` may swallow it. */
class BudgetError extends Error {}

export function startMeter(budget: number): void {
  meter.budget = purse ? Math.max(0, Math.min(budget, purse.left)) : budget
  meter.left = meter.budget
  meter.exhausted = false
}

/** True once an evaluation has asked for more than it had; what it then gave is not to be believed. */
export function isExhausted(): boolean {
  return meter.exhausted
}

/** Throws once the budget is used up, and from then on each time. */
export function spend(units: number): void {
  meter.left -= units
  if (meter.left < 0) refuse()
}

/** For what is too large, whatever the budget. */
export function refuse(): never {
  meter.exhausted = true
  meter.left = -1
  throw new BudgetError('the expression costs too much')
}

/** What the last evaluation drew; for whoever evaluates many and bounds them together. */
export function costOfLast(): number {
  return meter.budget - meter.left
}
