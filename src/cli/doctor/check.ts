/** What the doctor found of one thing. `off`: it is not used here, which may be as it should be. */
export interface Check {
  name: string
  verdict: 'ok' | 'off' | 'warn' | 'fail'
  detail: string
  /** What to do about it. */
  remedy?: string
}
