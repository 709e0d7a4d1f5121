/** A token endpoint after RFC 6749, 4.4, that answers as it is told. */
import { once } from 'node:events'
import { createServer } from 'node:http'

export interface TokenEndpoint extends AsyncDisposable {
  url: string
  asked: { authorization: string; form: URLSearchParams }[]
  /** What it answers from now on; `hang`: nothing. */
  answer: { status: number; body: unknown } | 'hang'
}

export const tokenClient = { clientId: 'relay of carillon', clientSecret: 'client-hush+/=~1' }

export async function startTokenEndpoint(answer: TokenEndpoint['answer']): Promise<TokenEndpoint> {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    endpoint.asked.push({ authorization: request.headers.authorization ?? '', form: new URLSearchParams(body) })
    if (endpoint.answer === 'hang') return
    const said = endpoint.answer.body
    response.writeHead(endpoint.answer.status, { 'content-type': 'application/json' })
    response.end(typeof said === 'string' ? said : JSON.stringify(said))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpoint: TokenEndpoint = {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/oauth/token?tenant=query-hush`,
    asked: [],
    answer,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
  return endpoint
}
