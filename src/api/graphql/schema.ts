import './scalars.ts'
import './notification-type.ts'
import './notification-queries.ts'
import './inbox-queries.ts'
import './limits.ts'
import './recipients.ts'
import './webhook-endpoints.ts'
import './dead-letters.ts'
import './captured-messages.ts'
import './send-mutations.ts'
import './cancel-mutation.ts'
import './inbox-mutations.ts'
import './subscriptions.ts'
import { builder } from './builder.ts'

/** The whole public schema. */
export const schema = builder.toSchema()
