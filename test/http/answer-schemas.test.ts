import { describe, expect, test } from 'vitest'
import { AnswerSchemas } from '../../src/http/answer-schemas.ts'

const schemas = new AnswerSchemas()
const DRAFT_7 = 'http://json-schema.org/draft-07/schema#'
const DRAFT_2020 = 'https://json-schema.org/draft/2020-12/schema'

describe('[P-11.5] the form that a question asks for', () => {
  test.for<readonly [what: string, schema: object, fits: unknown, not: unknown]>([
    ['a type', { type: 'integer' }, 3, 3.5],
    ['several types', { type: ['string', 'null'] }, null, 1],
    ['required fields', { type: 'object', required: ['a'] }, { a: 1 }, {}],
    ['no other fields', { properties: { a: {} }, additionalProperties: false }, {}, { b: 1 }],
    ['one of some', { enum: ['a', { b: 1 }] }, { b: 1 }, 'b'],
    ['items', { type: 'array', items: { type: 'number' }, maxItems: 2 }, [1, 2], [1, 'a']],
    ['a length in letters', { type: 'string', maxLength: 2 }, '👍👍', 'abc'],
    ['a pattern', { type: 'string', pattern: '^[a-z]+$' }, 'abc', 'Abc'],
    ['choices with titles', { oneOf: [{ const: 'a', title: 'A' }, { const: 'b' }] }, 'b', 'c'],
    [
      'itself',
      {
        $defs: { t: { properties: { t: { $ref: '#/$defs/t' } }, type: 'object' } },
        $ref: '#/$defs/t',
      },
      { t: { t: {} } },
      { t: { t: 1 } },
    ],
    ['a tuple of draft 7', { $schema: DRAFT_7, items: [{ type: 'string' }] }, ['a'], [1]],
    ['a tuple of 2020-12', { $schema: DRAFT_2020, prefixItems: [{ type: 'string' }] }, ['a'], [1]],
  ])('can be %s', ([, schema, fits, not]) => {
    const known = schema as Record<string, unknown>
    expect(schemas.refuse(known)).toBeNull()
    expect(schemas.misfit(known, fits)).toBeNull()
    expect(schemas.misfit(known, not)).toMatch(/^answer/)
  })

  test('may say what is for people and their forms', () => {
    const schema = { type: 'string', title: 'A', format: 'email', enumNames: ['x'], default: 'a' }
    expect(schemas.refuse(schema)).toBeNull()
    expect(schemas.misfit(schema, 'not a mail address')).toBeNull()
  })

  test.for<readonly [what: string, schema: object]>([
    ['a type that there is not', { type: 'wish' }],
    ['a word that there is not', { requird: ['a'] }],
    ['a pattern that is none', { type: 'string', pattern: '(' }],
    ['what is elsewhere', { $ref: 'https://example.com/schema' }],
    ['a draft that is not known', { $schema: 'http://json-schema.org/draft-04/schema#' }],
    ['a promise', { $async: true, type: 'string' }],
    ['nothing but itself', { $defs: { t: { $ref: '#/$defs/t' } }, $ref: '#/$defs/t' }],
  ])('cannot be %s', ([, schema]) => {
    expect(schemas.refuse(schema as Record<string, unknown>)).toMatch(/\w/)
  })

  test('of one question is not found by another', () => {
    const named = { $id: 'https://example.com/mine', type: 'string' }
    expect(schemas.refuse(named)).toBeNull()
    expect(schemas.misfit(named, 'a')).toBeNull()
    expect(schemas.refuse({ $ref: 'https://example.com/mine' })).toMatch(/resolve/)
  })

  test('is looked at again where the machine stood still meanwhile', () => {
    const still = new Int32Array(new SharedArrayBuffer(4))
    let looks = 0
    const answer = {
      get name() {
        if (++looks === 1) Atomics.wait(still, 0, 0, 200)
        return 'Ana'
      },
    }
    const schema = { properties: { name: { type: 'string' } }, required: ['name'] }
    expect(new AnswerSchemas(100).misfit(schema, answer)).toBeNull()
    expect(looks).toBeGreaterThan(1)
  })

  test('takes no longer than it may, whatever the pattern and the text are', () => {
    const schema = { type: 'string', pattern: '^(a+)+$' }
    const answer = `${'a'.repeat(64)}!`
    expect(new AnswerSchemas(20).misfit(schema, answer)).toMatch(/too long/)
    expect(schemas.misfit(schema, 'aaa')).toBeNull()
  })
})
