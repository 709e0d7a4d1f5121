/** What an expression may be and may cost; each limit is far above what rules of people need. */
export const expressionLimits = {
  /** Of the text, in characters. */
  length: 4096,
  /** Of brackets in the text, and of the tree. */
  depth: 100,
  /** Nodes of the tree, macros expanded. */
  nodes: 2000,
  /**
   * Of one evaluation, in units of about one evaluated node: an iteration costs the nodes of its body, so that some 10,000
   * iterations of a simple one fit; strings, lists and comparisons cost by their size.
   */
  cost: 100_000,
  /**
   * Of the evaluations of one rule over one chunk of events, each counted with its nodes. Once the rules of a chunk have drawn
   * `chunkCost` together, each has `ruleCostLater` in all: rules of people need less, and are not cut off because of others.
   */
  ruleCost: 5_000_000,
  chunkCost: 50_000_000,
  ruleCostLater: 200_000,
  /** Of the evaluations of one rule on one event, or for one recipient. */
  askCost: 500_000,
  /** After so much, about ten milliseconds, the rest of the process has its turn. */
  turnCost: 100_000,
  /** Of any text that an expression makes, in characters. */
  textLength: 65_536,
  /** Of any list that an expression makes. */
  listLength: 10_000,
  /** Of a regular expression, in characters and in instructions once compiled. */
  patternLength: 512,
  patternProgram: 2000,
  /** Of its counted repeats together: `a{10}b{2,20}` has 30. */
  patternRepeats: 1000,
  /** Of compiling one that is not written in the expression but computed. */
  patternCost: 10_000,
} as const
