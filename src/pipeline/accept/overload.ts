/** Thrown to callers while there is more work than is done; nothing was accepted. */
export class OverloadedError extends Error {
  readonly code = 'OVERLOADED'
  readonly retryAfterSeconds: number
  constructor(retryAfterSeconds: number) {
    super('there is more work than can be done at the moment; send the request again later')
    this.retryAfterSeconds = retryAfterSeconds
  }
}
