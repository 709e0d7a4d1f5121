import { expressionLimits } from './expression-limits.ts'
import { drawingOn } from './meter.ts'

const { ruleCost, chunkCost, ruleCostLater, askCost, turnCost } = expressionLimits

/** What the expressions of a tenant may cost over one chunk: each evaluation is bounded, and there are rules times events of them. */
export interface ChunkBudget {
  /** Does work whose evaluations are one rule's (or silence's …). Once it has drawn all it may, each of them faults with `budget`. */
  ask<T>(rule: string, work: () => T): T
  /** Whether so much was drawn since the last time that the rest of the process must have its turn; asking begins the next one. */
  isTurnOver(): boolean
}

/** Make one for each chunk. */
export function createChunkBudget(): ChunkBudget {
  const accounts = new Map<string, { drawn: number; left: number }>()
  let drawn = 0
  let turnBegan = 0
  return {
    ask(rule, work) {
      let account = accounts.get(rule)
      if (!account) {
        account = { drawn: 0, left: 0 }
        accounts.set(rule, account)
      }
      const given = Math.min((drawn < chunkCost ? ruleCost : ruleCostLater) - account.drawn, askCost)
      account.left = given
      const result = drawingOn(account, work)
      const cost = given - account.left
      account.drawn += cost
      drawn += cost
      return result
    },
    isTurnOver() {
      if (drawn - turnBegan < turnCost) return false
      turnBegan = drawn
      return true
    },
  }
}
