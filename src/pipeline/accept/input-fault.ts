/** What is wrong with an input, and where. */
export interface InputFault {
  path: string[]
  message: string
  /** Where in the text of an expression, from 1. */
  line?: number
  column?: number
}
