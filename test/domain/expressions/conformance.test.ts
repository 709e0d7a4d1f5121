import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CelInput, type CelValue, isCelError } from '@bufbuild/cel'
import type { SimpleTest } from '@bufbuild/cel-spec/cel/expr/conformance/test/simple_pb.js'
import { getConformanceSuite } from '@bufbuild/cel-spec/testdata/tests.js'
import { prepareExpression } from '../../../src/domain/expressions/compile-expression.ts'
import { createEnvironment } from '../../../src/domain/expressions/environment.ts'
import { isAssignable, typeName } from '../../../src/domain/expressions/static-types.ts'
import { declarationsOf, inputOf, notationOf, registry, staticTypeOf } from './conformance-values.ts'

/** Files and sections of the suite that are not run, and why; a new name in the suite is run. */
const leftOutSections: Record<string, string> = {
  bindings_ext: 'cel.bind is an extension that we do not offer',
  block_ext: 'cel.block is an extension that optimizers use',
  encoders_ext: 'base64 is an extension that we do not offer',
  math_ext: 'math.* is an extension that we do not offer',
  macros2: 'macros with two variables are an extension that the parser does not read',
  optionals: 'optional values are an extension that the parser does not read',
  proto2_ext: 'extensions of protobuf: no event is a protobuf message',
  'proto2/extensions_has': 'extensions of protobuf: no event is a protobuf message',
  'proto2/extensions_get': 'extensions of protobuf: no event is a protobuf message',
  'enums/strong_proto2': 'enums as types of their own, which the specification leaves open; ours are ints',
  'enums/strong_proto3': 'enums as types of their own, which the specification leaves open; ours are ints',
  'type_deductions/type_parameters': 'functions that the case declares itself',
}

const leftOutCases: Record<string, string> = {
  'type_deductions/functions/function_result_type': 'a function that the case declares itself',
  'type_deductions/flexible_type_parameter_assignment/optional_none': 'optional values',
  'type_deductions/flexible_type_parameter_assignment/optional_none_2': 'optional values',
  'type_deductions/flexible_type_parameter_assignment/optional_dyn_promotion': 'optional values',
  'type_deductions/flexible_type_parameter_assignment/optional_dyn_promotion_2': 'optional values',
  'type_deductions/flexible_type_parameter_assignment/optional_in_ternary': 'optional values',
  'type_deductions/legacy_nullable_types/null_assignable_to_abstract_parameter_candidate': 'optional values',
}

function resultOf(test: SimpleTest): string {
  const env = createEnvironment({ namespace: test.container, registry })
  const named = test.disableCheck ? undefined : declarationsOf(test.typeEnv)
  const prepared = prepareExpression(test.expr, env, named)
  if (!prepared.ok) return `error: ${prepared.message}`
  const expectedType = test.resultMatcher.case === 'typedResult' ? test.resultMatcher.value.deducedType : undefined
  if (expectedType) {
    const type = staticTypeOf(expectedType)
    assert.ok(isAssignable(prepared.type, type), `${typeName(prepared.type)} instead of ${typeName(type)}`)
  }
  if (test.checkOnly) return 'checked'
  const bindings: Record<string, CelInput> = Object.create(null)
  for (const [name, { kind }] of Object.entries(test.bindings)) {
    if (kind.case === 'value') bindings[name] = inputOf(kind.value)
  }
  const result = prepared.run(bindings)
  return isCelError(result) ? `error: ${result.message}` : notationOf(result)
}

/** A value as the library makes it of an input, which it does only within an evaluation. */
function asValue(input: CelInput): CelValue {
  const prepared = prepareExpression('input', createEnvironment({ registry }))
  assert.ok(prepared.ok)
  const result = prepared.run(Object.assign(Object.create(null), { input }))
  assert.ok(!isCelError(result))
  return result
}

function expectedOf(test: SimpleTest): string {
  const { case: kind, value } = test.resultMatcher
  if (kind === 'evalError' || kind === 'anyEvalErrors') return 'error'
  if (kind === undefined) return 'true'
  if (test.checkOnly) return 'checked'
  if (kind === 'value') return notationOf(asValue(inputOf(value)))
  assert.ok(kind === 'typedResult' && value.result, `no expectation in ${test.name}`)
  return notationOf(asValue(inputOf(value.result)))
}

describe('the conformance suite of CEL, in our environment', () => {
  const unused = new Set([...Object.keys(leftOutSections), ...Object.keys(leftOutCases)])
  let run = 0
  for (const file of getConformanceSuite().suites) {
    for (const section of file.suites) {
      const path = `${file.name}/${section.name}`
      const leftOut = [file.name, path].filter((name) => name in leftOutSections)
      for (const name of leftOut) unused.delete(name)
      if (leftOut.length > 0) continue
      describe(path, () => {
        for (const { name, original } of section.tests) {
          if (unused.delete(`${path}/${name}`)) continue
          run += 1
          it(`${name}: ${original.expr.replace(/[^ -~]+/g, ' ').slice(0, 80)}`, () => {
            const expected = expectedOf(original)
            const result = resultOf(original)
            if (expected === 'error') assert.match(result, /^error: /)
            else assert.equal(result, expected)
          })
        }
      })
    }
  }

  it('is left out nowhere but where this file says so, and everything that it names is there', () => {
    assert.deepEqual([...unused], [])
    assert.ok(run > 1850, `${run} cases`)
  })
})
