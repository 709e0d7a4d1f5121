/** What is wrong with an input, and where. */
export interface InputFault {
  path: string[]
  message: string
}
