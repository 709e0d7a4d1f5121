/** What can go wrong in operation, with a stable `code` that each edge maps once. A bug is any other error. */
export class OperationalError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'OperationalError'
    this.code = code
  }
}
