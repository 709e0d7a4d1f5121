import type { NewIntent } from '../../../src/domain/intent.ts'

export const benchTenant = '0190a1b2-c3d4-7000-8000-00000000be0c'
export const benchTemplate = 'order-shipped'
const eventType = 'commerce.order.shipped'

/** One notification of the load, before it takes on the form of a transport. */
export interface LoadItem {
  number: number
  phase: number
  /** When it should have been sent, in milliseconds of the machine's monotonic clock. */
  intendedMs: number
  /** Keys of two runs in one database never meet. */
  run: string
}

/** What the template reads, and what the observer in the service reads back at the provider. */
export interface LoadData {
  order: string
  customer: string
  carrier: string
  items: { sku: string; quantity: number }[]
  phase: number
  intendedMs: number
}

export const templateParts = {
  email: {
    subject: 'Your order <%= it.order %> is on its way',
    body: `Hello <%= it.customer %>,

your order <%= it.order %> has left our warehouse with <%= it.carrier %>:
<% for (const item of it.items) { %>
- <%= item.quantity %> x <%= item.sku %>
<% } %>

Reference <%= it.notification.id %>.`,
    body_html: `<p>Hello <%= it.customer %>,</p>
<p>your order <b><%= it.order %></b> has left our warehouse with <%= it.carrier %>.</p>
<ul><% for (const item of it.items) { %><li><%= item.quantity %> &times; <%= item.sku %></li><% } %></ul>`,
  },
}

export const recipientOf = (item: LoadItem) => ({
  id: `customer-${item.number % 50_000}`,
  email: `customer-${item.number % 50_000}@example.com`,
  name: 'Ann Bell',
})

export const keyOf = (item: LoadItem): string => `${item.run}-${item.number}-shipped`

export const typeOf = (): string => eventType

export function dataOf(item: LoadItem): LoadData {
  return {
    order: `A-${item.number}`,
    customer: 'Ann Bell',
    carrier: 'Penny Post',
    items: [
      { sku: 'bell-c4', quantity: 1 },
      { sku: 'clapper', quantity: 2 },
    ],
    phase: item.phase,
    intendedMs: item.intendedMs,
  }
}

/** The item as the API would hand it to accept, after validation. */
export function intentOf(item: LoadItem): NewIntent {
  return {
    tenantId: benchTenant,
    kind: 'direct',
    type: eventType,
    priority: 1,
    category: 'transactional',
    idempotencyKey: keyOf(item),
    source: 'graphql',
    payload: {
      recipients: [{ type: 'user', ...recipientOf(item) }],
      channels: ['email'],
      template: benchTemplate,
      data: { ...dataOf(item) },
      metadata: {},
    },
  }
}
