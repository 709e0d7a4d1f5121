/** Writes sql/schema.sql from a freshly migrated database: run it after adding a migration. */
import { writeFileSync } from 'node:fs'
import { testDatabase } from './database.ts'
import { describeSchema } from './describe-schema.ts'

const database = await testDatabase()
writeFileSync(new URL('../../sql/schema.sql', import.meta.url), await describeSchema(database.pool()))
await database.drop()
process.exit(0)
