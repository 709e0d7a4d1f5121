import type { FateLine } from './client/follow-notification.ts'
import { shade } from './terminal.ts'

/** How a notification's fate is told to people: one line a change, with the time since it was asked for. */
export function fateTeller(say: (line: string) => void, indent = ''): (line: FateLine) => void {
  const began = performance.now()
  return ({ channel, status, detail }) => {
    const since = `+${((performance.now() - began) / 1000).toFixed(2)} s`.padStart(9)
    const what = `${channel === undefined ? '' : `${channel.padEnd(8)} `}${colour(status, status.toLowerCase().padEnd(detail ? 10 : 0))}`
    say(`${indent}${shade('dim', since)}  ${what}${detail ? ` ${shade('dim', detail)}` : ''}`)
  }
}

function colour(status: string, text: string): string {
  if (status === 'SENT' || status === 'DELIVERED') return shade('green', text)
  if (status === 'FAILED' || status === 'EXPIRED') return shade('red', text)
  return status === 'RETRYING' || status === 'SUPPRESSED' ? shade('yellow', text) : text
}
