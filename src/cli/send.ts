import { Command } from 'commander'
import type { Channel } from '../domain/channel.ts'
import { systemClock } from '../platform/clock.ts'
import { createApiClient, type FollowedNotification } from './client/api-client.ts'
import { findService, type ServiceOptions, withServiceOptions } from './client/find-service.ts'
import { followNotification, isEnded, isGoodEnd } from './client/follow-notification.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import { fateTeller } from './fate.ts'
import { channelList, jsonObject, moment, priorityName, seconds } from './option-values.ts'
import type { Terminal } from './terminal.ts'

interface SendOptions extends ServiceOptions {
  template?: string
  subject?: string
  body?: string
  html?: string
  to?: string
  toId?: string
  type?: string
  channel?: Channel[]
  fallback?: Channel[]
  data?: Record<string, unknown>
  priority?: string
  at?: string
  expires?: string
  idempotencyKey?: string
  follow: boolean
  timeout?: number
}

export function sendCommand(context: CommandContext): Command {
  const command = new Command('send')
    .description('Send one notification over the running service, and follow it until it ends.')
    .option('--template <name>', 'what it says: a template; else --subject and --body')
    .option('--subject <text>', 'one line')
    .option('--body <text>', 'plain text')
    .option('--html <text>', 'the body as HTML')
    .option('--to <address>', 'an e-mail address, a phone number (+49…) or a webhook URL')
    .option('--to-id <id>', 'the id of a recipient that the service knows')
    .option('--type <type>', 'kind of notification; by default the name of the template, or cli.message')
    .option(
      '--channel <list>',
      'email, in_app, webhook …; by default those of the template or the address',
      channelList,
    )
    .option('--fallback <list>', 'channels to try when those have failed', channelList)
    .option('--data <json>', 'values for the template', jsonObject)
    .option('--priority <name>', 'LOW, NORMAL, HIGH or CRITICAL', priorityName)
    .option('--at <time>', 'not before this moment, e.g. 2026-12-24T18:00:00Z', moment)
    .option('--expires <time>', 'not after this moment', moment)
    .option('--idempotency-key <key>', 'sending again with the same key sends nothing')
    .option('--no-follow', 'end as soon as it is stored')
    .option('--timeout <seconds>', 'follow no longer than this', seconds)
    .addHelpText(
      'after',
      `
Examples:
  carillon send --to alice@example.com --subject "Hello" --body "It works."
  carillon send --template document_approved --to alice@example.com --data '{"document": "RFC-087"}'

Exit code 0: sent or delivered. 1: failed, or not ended in time.`,
    )
  return speaking<SendOptions, []>(withServiceOptions(command), context, async (terminal, options) => {
    const input = inputOf(options)
    const client = createApiClient(await findService(options))
    const tell = fateTeller((line) => terminal.line(line))
    const accepted = await client.send(input)
    terminal.line(`accepted ${accepted.id}`)
    const event = (notification: FollowedNotification) => terminal.document({ event: 'changed', ...notification })
    if (!options.follow) return terminal.document({ event: 'accepted', ...accepted })
    if (Date.parse(accepted.scheduledAt) > systemClock.now().getTime() + 1_000) {
      terminal.line(`scheduled for ${accepted.scheduledAt}; it is not waited for`)
      return terminal.document({ event: 'accepted', ...accepted })
    }
    const last = await followNotification(client, accepted, {
      signal: options.timeout ? AbortSignal.timeout(options.timeout * 1_000) : new AbortController().signal,
      onChange(line, notification) {
        tell(line)
        event(notification)
      },
    })
    end(context, terminal, last)
  })
}

function end(context: CommandContext, terminal: Terminal, last: FollowedNotification): void {
  const ended = isEnded(last)
  if (!ended || !isGoodEnd(last)) context.exitWith(exitCodes.failed)
  terminal.document({ event: ended ? 'ended' : 'timeout', ...last })
  terminal.line(ended ? last.status.toLowerCase() : `not ended in time: ${last.status.toLowerCase()}`)
}

/** The input of sendNotification. */
function inputOf(options: SendOptions): Record<string, unknown> {
  const { template, subject, body, html } = options
  const inline = subject ?? body ?? html
  if (template === undefined && inline === undefined)
    throw fault('say what to send: --template, or --subject and --body')
  if (template !== undefined && inline !== undefined) throw fault('give --template or the text itself, not both')
  if (options.to === undefined && options.toId === undefined) throw fault('say to whom: --to or --to-id')
  return {
    type: options.type ?? template ?? 'cli.message',
    recipient: { id: options.toId, ...addressOf(options.to) },
    template,
    subject,
    body,
    bodyHtml: html,
    data: options.data,
    channels: options.channel?.map((channel) => channel.toUpperCase()),
    fallbackChannels: options.fallback?.map((channel) => channel.toUpperCase()),
    priority: options.priority,
    scheduledAt: options.at,
    expiresAt: options.expires,
    idempotencyKey: options.idempotencyKey,
  }
}

function addressOf(to: string | undefined): Record<string, string> {
  if (to === undefined) return {}
  if (/^https?:\/\//i.test(to)) return { webhookUrl: to }
  if (/^\+\d/.test(to)) return { phone: to }
  if (to.includes('@')) return { email: to }
  throw fault(`--to ${to} is no e-mail address, phone number or URL; for the id of a recipient there is --to-id`)
}

const fault = (message: string) => new CommandError('BAD_OPTIONS', `${message} (see "carillon send --help")`)
