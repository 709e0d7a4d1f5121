import { type CelInput, celEnv, isCelError, parse, plan } from '@bufbuild/cel'

// Stands in for src/domain/expressions until that is there.

export type Evaluated = { ok: true; value: unknown } | { ok: false; code: string; message: string }

export interface Expression {
  evaluate(scope: Scope): Evaluated
}

export type Compiled =
  | { ok: true; expression: Expression }
  | { ok: false; message: string; line: number; column: number }

export interface EventScope {
  event: object
}
export interface Scope extends EventScope {
  recipient?: object
  now: Date
}

export function compileExpression(
  text: string,
  _options: { kind: 'condition' | 'value'; variables?: readonly ('event' | 'recipient' | 'now')[] },
): Compiled {
  try {
    const planned = plan(celEnv(), parse(text))
    return {
      ok: true,
      expression: {
        evaluate(scope) {
          const value = planned(scope as unknown as Record<string, CelInput>)
          return isCelError(value) ? { ok: false, code: 'failed', message: 'failed' } : { ok: true, value }
        },
      },
    }
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : 'is no CEL', line: 1, column: 1 }
  }
}

export const usesRecipient = (_expression: Expression): boolean => false
