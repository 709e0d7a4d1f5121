import express from 'express'
import { CommandError, codeOf } from './exit-codes.ts'
import { endListening, listen } from './listen.ts'

/** Finds out before anything is started or made whether the port can be had. Throws CommandError. */
export async function requireFreePort(host: string, port: number): Promise<void> {
  try {
    await endListening(await listen(express(), host, port))
  } catch (error) {
    const place = `${host}:${port}`
    if (codeOf(error) !== 'EADDRINUSE') {
      throw new CommandError(
        'LISTEN_FAILED',
        `cannot listen on ${place} (${codeOf(error)}): choose another HOST or PORT`,
      )
    }
    throw new CommandError('PORT_IN_USE', `${place} is in use: stop the program that uses it, or choose another PORT`)
  }
}
