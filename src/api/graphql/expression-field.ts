import { z } from 'zod'
import { type CompileOptions, compileExpression } from '../../domain/expressions/compile-expression.ts'

/** A field in CEL, which is compiled to be judged; a fault says where in the text it is. */
export const expressionField = (options: CompileOptions) =>
  z.string().superRefine((text, check) => {
    const compiled = compileExpression(text, options)
    if (compiled.ok) return
    const { line, column, message } = compiled
    const where = text.includes('\n') ? `line ${line}, column ${column}` : `column ${column}`
    check.addIssue({ code: 'custom', message: `is not valid at ${where}: ${message}` })
  })
