import { domainToASCII } from 'node:url'

/** A person's or a program's address as a mail header shows it: `Name <local@domain>`, the domain in ASCII. */
export interface Mailbox {
  name: string
  address: string
}

const addressPattern = /^([^\s\p{Cc}@<>()[\]\\,;:"]{1,64})@([^\s\p{Cc}@<>()[\]\\,;:"]{1,253})$/u
const namedPattern = /^\s*"?([^"<>]*?)"?\s*<([^<>]+)>\s*$/

/** CR, LF and NUL end a header or a command and begin another, so nothing that holds one may enter either. */
export function breaksLines(text: string): boolean {
  return /[\r\n]/.test(text) || text.includes('\0')
}

/** Reads one mailbox, bare or with a name; undefined for none, several, or one that could break a header. */
export function parseMailbox(text: string): Mailbox | undefined {
  if (breaksLines(text)) return undefined
  const named = namedPattern.exec(text)
  const [, local, domain] = addressPattern.exec((named?.[2] ?? text).trim()) ?? []
  if (local === undefined || domain === undefined) return undefined
  const asciiDomain = domainToASCII(domain)
  return asciiDomain === '' ? undefined : { name: named?.[1] ?? '', address: `${local}@${asciiDomain}` }
}
