import {
  type DocumentNode,
  type FieldNode,
  GraphQLError,
  getNamedType,
  isListType,
  isNonNullType,
  Kind,
  type OperationDefinitionNode,
  print,
} from 'graphql'
import type { AcceptAnswer } from '../../domain/intent.ts'
import type { InputFault } from '../../pipeline/accept/input-fault.ts'
import { tooDeep } from '../../pipeline/accept/validate-fields.ts'
import type { ValidatedIntent } from '../../pipeline/accept/validate-send.ts'
import { type Coercion, compileCoercion, notPlain } from './coercion.ts'
import type { ApiContext, ApiServices, Caller } from './context.ts'
import type { Loaders } from './loaders.ts'
import { operationCost } from './operation-cost.ts'
import { compileProjection, type Projection } from './projection.ts'
import { schema } from './schema.ts'
import { sendCallerOf } from './send-mutations.ts'
import { answersOf, judgeAll, maxInputs, notificationOf, type Sending, sendings, validOnes } from './sending.ts'

/** What a request says, as far as GraphQL is concerned. */
export interface Operation {
  query: string
  variables?: Readonly<Record<string, unknown>> | null
  operationName?: string | null
}

/** The answer; or, where it takes an executor to tell it, the services with which that one tells of this very commit. */
export type ShortAnswer = { data: Record<string, unknown> } | { services: ApiServices }

/** undefined: the general way is to be gone, from the start. */
export type SendShortly = (operation: Operation, caller: Caller) => Promise<ShortAnswer> | undefined

/** An operation that has been looked at: one mutation that accepts, by one variable. */
interface Plan {
  operationName: string | undefined
  sending: Sending
  variable: string
  /** The key of the answer. */
  key: string
  /** As many as the cost of an operation allows. */
  mostInputs: number
  coerce: Coercion
  project: Projection
  /** Whether the answers to what was accepted could be told so far. */
  tells: boolean
}

const mostPlans = 500
const longestQuery = 10_000
const names = new RegExp(Object.keys(sendings).join('|'))

/**
 * Answers the usual form of the mutations that accept — one of them, with its argument in a variable — at a fifth of the
 * processor time of the general way: variables are coerced, and answers told, by functions that are made once an
 * operation. Everything else, and everything that is at fault, is left to the general way, so it is told in one place.
 *
 * `read` gives the document of a query, if it is valid and within the limits.
 */
export function createSendShortly(
  services: ApiServices,
  read: (query: string) => DocumentNode | undefined,
): SendShortly {
  const { accept, clock, config } = services
  const plans = new Map<string, Plan | undefined>()

  function planOf(query: string): Plan | undefined {
    const known = plans.get(query)
    if (known || query.length > longestQuery || plans.has(query) || !names.test(query)) return known
    if (plans.size >= mostPlans) plans.clear() // callers write the queries
    const document = read(query)
    const plan = document && compilePlan(document, config.GRAPHQL_MAX_COST)
    plans.set(query, plan)
    return plan
  }

  return ({ query, variables, operationName }, caller) => {
    if (!variables || !caller.principal.scopes.has('send')) return undefined
    const plan = planOf(query)
    if (!plan?.tells || (operationName != null && operationName !== plan.operationName)) return undefined
    const inputs = inputsOf(plan, variables)
    if (!inputs) return undefined
    const now = clock.now()
    const validated = judgeAll(plan.sending, inputs, sendCallerOf(caller), now)
    if (validated.some((one) => !one.ok && isForOthers(plan.sending, one.faults))) return undefined
    const intents = validOnes(validated)
    const submitted = intents.length > 0 ? accept.submit(intents) : Promise.resolve([])
    // It judges again what has been judged, at the same moment, and is handed what has been submitted.
    const again = () => ({
      services: { ...services, clock: { now: () => now }, accept: { ...accept, submit: () => submitted } },
    })
    return submitted.then((answers) => tell(plan, validated, answers, caller) ?? again(), again)
  }

  function tell(
    plan: Plan,
    validated: readonly ValidatedIntent[],
    answers: readonly AcceptAnswer[],
    caller: Caller,
  ): ShortAnswer | undefined {
    const context: ApiContext = { ...caller, services, load: nothingToLoad }
    try {
      const value = resolvedOf(plan.sending, validated, answers, clock.now())
      return { data: { [plan.key]: plan.project(value, context) } }
    } catch {
      // Whatever it is, the general way meets it too, and tells it.
      if (answers.every(({ status }) => status === 'accepted')) plan.tells = false
      return undefined
    }
  }
}

/** sendNotification tells its faults as errors; and at the bottom of what is too deep, an executor may run out of stack. */
function isForOthers(sending: Sending, faults: readonly InputFault[]): boolean {
  return sending === sendings.sendNotification || faults.some(({ message }) => message === tooDeep)
}

/** What the mutation's resolver gives. */
function resolvedOf(
  sending: Sending,
  validated: readonly ValidatedIntent[],
  answers: readonly AcceptAnswer[],
  at: Date,
): unknown {
  if (sending === sendings.sendNotification) return notificationOf(validOnes(validated)[0]!, answers[0]!, at)
  const told = answersOf(sending, validated, answers, at)
  return sending.argument === 'input' ? told[0] : told
}

function inputsOf(plan: Plan, variables: Readonly<Record<string, unknown>>): unknown[] | undefined {
  const given = Object.hasOwn(variables, plan.variable) ? variables[plan.variable] : undefined
  const inputs = plan.sending.argument === 'input' ? [given] : given
  if (!Array.isArray(inputs) || inputs.length > plan.mostInputs) return undefined
  try {
    return inputs.map(plan.coerce)
  } catch (error) {
    if (error === notPlain || error instanceof GraphQLError) return undefined
    throw error
  }
}

function compilePlan(document: DocumentNode, mostCost: number): Plan | undefined {
  const operation = onlyOperation(document)
  const field = operation && onlyField(operation)
  if (!field || !Object.hasOwn(sendings, field.name.value)) return undefined
  const sending: Sending = sendings[field.name.value as keyof typeof sendings]
  const { type, args } = schema.getMutationType()!.getFields()[field.name.value]!
  const [argument, ...others] = field.arguments ?? []
  const [variable, ...moreVariables] = operation.variableDefinitions ?? []
  if (!variable || argument?.value.kind !== Kind.VARIABLE || others.length + moreVariables.length > 0) return undefined
  const argumentType = args[0]!.type
  const isExact = print(variable.type) === String(argumentType) && isNonNullType(argumentType)
  if (!isExact || variable.defaultValue || variable.directives?.length) return undefined
  const isList = isListType(argumentType.ofType)
  if (isList !== (sending.argument === 'inputs')) return undefined
  const fragments = new Map(
    document.definitions.flatMap((one) => (one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one]] : [])),
  )
  const project = compileProjection(type, field.selectionSet, fragments)
  if (!project) return undefined
  const name = variable.variable.name.value
  const mostInputs = mostWithin(mostCost, (count) =>
    operationCost(document, undefined, { [name]: Array.from({ length: count }) }),
  )
  if (mostInputs === 0) return undefined
  return {
    operationName: operation.name?.value,
    sending,
    variable: name,
    key: field.alias?.value ?? field.name.value,
    mostInputs,
    coerce: compileCoercion(getNamedType(argumentType)),
    project,
    tells: true,
  }
}

function onlyOperation(document: DocumentNode): OperationDefinitionNode | undefined {
  const [operation, ...others] = document.definitions.filter((one) => one.kind === Kind.OPERATION_DEFINITION)
  const isPlain = operation?.operation === 'mutation' && others.length === 0 && !operation.directives?.length
  return isPlain ? operation : undefined
}

function onlyField({ selectionSet }: OperationDefinitionNode): FieldNode | undefined {
  const [field, ...others] = selectionSet.selections
  return field?.kind === Kind.FIELD && others.length === 0 && !field.directives?.length ? field : undefined
}

/** The largest number of inputs that costs no more than is allowed. Costs rise with it. */
function mostWithin(mostCost: number, costOf: (count: number) => number): number {
  let [least, most] = [0, maxInputs]
  while (least < most) {
    const middle = Math.ceil((least + most) / 2)
    if (costOf(middle) <= mostCost) least = middle
    else most = middle - 1
  }
  return least
}

function mayNotLoad(): never {
  throw new Error('answers that are told shortly are not read from the database')
}

const nothingToLoad: Loaders = {
  notification: mayNotLoad,
  deliveries: mayNotLoad,
  attempts: mayNotLoad,
  intent: mayNotLoad,
  inboxItem: mayNotLoad,
  ruleVersion: mayNotLoad,
  ruleFaults: mayNotLoad,
  template: mayNotLoad,
}
