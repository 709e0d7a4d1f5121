import { type Child, startChild } from '../child.ts'
import type { LeanTarget } from '../load/lean-process.ts'
import type { ServiceOptions } from './service.ts'

/** The service under test, in a process of its own. */
export async function startServiceChild(options: ServiceOptions): Promise<{ child: Child; graphqlUrl: string }> {
  const child = startChild(new URL('./service-process.ts', import.meta.url))
  try {
    const { urls } = await child.call<{ urls: { graphql: string } }>('start', options)
    return { child, graphqlUrl: urls.graphql }
  } catch (error) {
    await child.stop()
    throw error
  }
}

/** A lean generator that is aimed at it. */
export async function startLeanChild(target: LeanTarget): Promise<Child> {
  const child = startChild(new URL('../load/lean-process.ts', import.meta.url))
  try {
    await child.call('aim', target)
    return child
  } catch (error) {
    await child.stop()
    throw error
  }
}
