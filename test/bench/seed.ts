import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { createApiKey } from '../../src/store/api-keys.ts'
import { benchTemplate, benchTenant, templateParts } from './load/load-item.ts'

/** A tenant with the template that the load names, and a key to send and read with. */
export async function seed(databaseUrl: string, tenantId: string = benchTenant): Promise<{ apiKey: string }> {
  return withClient(databaseUrl, async (client) => {
    await client.query('insert into carillon.tenants (id, name, created_at) values ($1, $2, now())', [
      tenantId,
      'bench',
    ])
    await client.query(
      `insert into carillon.templates (tenant_id, id, name, version, channels, created_at, updated_at)
       values ($1, $2, $3, '1', $4, now(), now())`,
      [tenantId, randomUUID(), benchTemplate, JSON.stringify(templateParts)],
    )
    const { key } = await createApiKey(client, {
      tenantId,
      name: 'bench',
      scopes: ['send', 'read'],
      now: new Date(),
    })
    return { apiKey: key }
  })
}

/** A connection for as long as the work takes. */
export async function withClient<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'bench' })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

export async function countIntents(databaseUrl: string): Promise<number> {
  return withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ count: number }>('select count(*)::int as count from carillon.intents')
    return rows[0]!.count
  })
}
