import { type AddressInfo, createServer, type Socket } from 'node:net'

/** What the server says at each point; `hang` says nothing, `reset` breaks the connection, anything else is sent. */
export interface SmtpScript {
  greeting?: string
  auth?: string
  /** For each MAIL, RCPT or message in turn, over all connections; the last one repeats. */
  mail?: string[]
  rcpt?: string[]
  data?: string
  /** After the final dot. */
  end?: string[]
  /** Asks for the content and reads none of it. */
  stopsReading?: boolean
}

/** The replies one after the other, and then the last one for good. */
function inTurn(replies: string[]): () => string {
  let next = 0
  return () => replies[Math.min(next++, replies.length - 1)] ?? 'hang'
}

/** A server that misbehaves as scripted, which a real one cannot be made to do. */
export async function startSmtpServer(script: SmtpScript) {
  const sockets = new Set<Socket>()
  const commands: string[] = []
  const { promise: silence, resolve: fallSilent } = Promise.withResolvers<void>()
  const mail = inTurn(script.mail ?? ['250 2.1.0 ok'])
  const rcpt = inTurn(script.rcpt ?? ['250 2.1.5 ok'])
  const end = inTurn(script.end ?? ['250 2.0.0 Ok: queued as 4F1A2B'])
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}) // resets are the point of some scripts
    socket.on('close', () => sockets.delete(socket))
    const say = (line: string) => {
      if (line === 'hang') return fallSilent()
      if (line === 'reset') socket.resetAndDestroy()
      else socket.write(`${line}\r\n`)
    }
    let isInData = false
    let pending = ''
    say(script.greeting ?? '220 fake ESMTP')
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      pending += chunk
      for (let cut = next(); cut >= 0; cut = next()) {
        const line = pending.slice(0, cut)
        pending = pending.slice(cut + (isInData ? 5 : 2))
        if (isInData) {
          isInData = false
          say(end())
        } else answer(line)
      }
    })
    const next = () => pending.indexOf(isInData ? '\r\n.\r\n' : '\r\n')
    function answer(line: string) {
      commands.push(line.split(' ')[0] ?? '')
      if (/^EHLO/i.test(line)) say('250-fake\r\n250 AUTH PLAIN')
      else if (/^AUTH/i.test(line)) say(script.auth ?? '235 2.7.0 ok')
      else if (/^STARTTLS/i.test(line)) say('502 5.5.1 not implemented')
      else if (/^MAIL/i.test(line)) say(mail())
      else if (/^RCPT/i.test(line)) say(rcpt())
      else if (/^DATA/i.test(line)) {
        const reply = script.data ?? '354 go ahead'
        isInData = reply.startsWith('354')
        if (script.stopsReading) socket.pause()
        say(reply)
      } else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n')
      else say('250 ok')
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    /** The verbs of what clients said. */
    commands,
    /** Comes when the script first says nothing. */
    silence,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A port at which nothing listens. */
export async function closedPort(): Promise<number> {
  const server = await startSmtpServer({})
  await server[Symbol.asyncDispose]()
  return server.port
}
