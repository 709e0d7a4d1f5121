import pg from 'pg'

/** The part of pg's connection that COPY needs, and that its types leave out. */
interface CopyConnection {
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
}

/** Sends rows in COPY's text format; resolves when the server has taken them. */
export async function copyIn(client: pg.ClientBase, statement: string, rows: Buffer): Promise<void> {
  await runCopy(client, statement, (query) => {
    query.handleCopyInResponse = (connection: CopyConnection) => {
      connection.sendCopyFromChunk(rows)
      connection.endCopyFrom()
    }
  })
}

/** Reads rows in COPY's text format, one line a row. */
export async function copyOut(client: pg.ClientBase, statement: string): Promise<string[]> {
  const chunks: Buffer[] = []
  await runCopy(client, statement, (query) => {
    query.handleCopyData = ({ chunk }: { chunk: Buffer }) => void chunks.push(Buffer.from(chunk))
  })
  return Buffer.concat(chunks).toString('utf8').split('\n').slice(0, -1)
}

type CopyQuery = pg.Query & {
  handleCopyInResponse(connection: CopyConnection): void
  handleCopyData(message: { chunk: Buffer }): void
}

async function runCopy(client: pg.ClientBase, statement: string, prepare: (query: CopyQuery) => void): Promise<void> {
  const done = Promise.withResolvers<void>()
  const query = new pg.Query(statement, (error) => (error ? done.reject(error) : done.resolve())) as CopyQuery
  prepare(query)
  client.query(query)
  await done.promise
}
