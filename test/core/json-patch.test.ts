import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyJsonPatch, type PatchOperation } from '../../src/core/json-patch.ts'
import { applyMergePatch } from '../../src/core/merge-patch.ts'
import { patchText } from '../../src/core/patch-text.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'

const parse = (text: string): unknown => JSON.parse(text)

function patch(document: string, operations: string): unknown {
  return applyJsonPatch(parse(document), parse(operations) as PatchOperation[], 4096)
}

function codeOf(work: () => unknown): string | null {
  try {
    work()
    return null
  } catch (error) {
    if (error instanceof HeldlineError) return error.code
    throw error
  }
}

describe('[P-12.3] a JSON Patch (RFC 6902)', () => {
  test.each([
    // The examples of the RFC's appendix.
    ['{"foo":"bar"}', '[{"op":"add","path":"/baz","value":"qux"}]', '{"foo":"bar","baz":"qux"}'],
    [
      '{"foo":["bar","baz"]}',
      '[{"op":"add","path":"/foo/1","value":"qux"}]',
      '{"foo":["bar","qux","baz"]}',
    ],
    ['{"baz":"qux","foo":"bar"}', '[{"op":"remove","path":"/baz"}]', '{"foo":"bar"}'],
    ['{"foo":["bar","qux","baz"]}', '[{"op":"remove","path":"/foo/1"}]', '{"foo":["bar","baz"]}'],
    ['{"baz":"qux"}', '[{"op":"replace","path":"/baz","value":"boo"}]', '{"baz":"boo"}'],
    [
      '{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}',
      '[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]',
      '{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}',
    ],
    [
      '{"foo":["all","grass","cows","eat"]}',
      '[{"op":"move","from":"/foo/1","path":"/foo/3"}]',
      '{"foo":["all","cows","eat","grass"]}',
    ],
    [
      '{"baz":"qux","foo":["a",2,"c"]}',
      '[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]',
      '{"baz":"qux","foo":["a",2,"c"]}',
    ],
    [
      '{"foo":"bar"}',
      '[{"op":"add","path":"/child","value":{"grandchild":{}}}]',
      '{"foo":"bar","child":{"grandchild":{}}}',
    ],
    [
      '{"foo":["bar"]}',
      '[{"op":"add","path":"/foo/-","value":["abc","def"]}]',
      '{"foo":["bar",["abc","def"]]}',
    ],
    [
      '{"/":9,"~1":10}',
      '[{"op":"test","path":"/~01","value":10},{"op":"test","path":"/~1","value":9}]',
      '{"/":9,"~1":10}',
    ],
    // The whole document, and what is easily got wrong.
    ['{"a":1}', '[{"op":"replace","path":"","value":[1]}]', '[1]'],
    ['{"a":{"b":2}}', '[{"op":"copy","from":"/a","path":""}]', '{"b":2}'],
    ['{"":1}', '[{"op":"replace","path":"/","value":2}]', '{"":2}'],
    ['{"a":null}', '[{"op":"replace","path":"/a","value":1}]', '{"a":1}'],
    [
      '{"a":{"x":1,"y":[null]}}',
      '[{"op":"test","path":"/a","value":{"y":[null],"x":1}}]',
      '{"a":{"x":1,"y":[null]}}',
    ],
    ['{"a":1}', '[{"op":"move","from":"/a","path":"/a"}]', '{"a":1}'],
    ['[1,2]', '[{"op":"add","path":"/2","value":3}]', '[1,2,3]'],
    [
      '{"a":[]}',
      '[{"op":"add","path":"/b","value":{}},{"op":"add","path":"/b/c","value":1},{"op":"copy","from":"/b","path":"/a/0"},{"op":"remove","path":"/b/c"}]',
      '{"a":[{"c":1}],"b":{}}',
    ],
  ])('%s with %s is %s', (document, operations, expected) => {
    const before = parse(operations) as PatchOperation[]
    expect(patch(document, operations)).toEqual(parse(expected))
    const given = parse(operations) as PatchOperation[]
    applyJsonPatch(parse(document), given, 4096)
    expect(given).toEqual(before)
  })

  test.each([
    ['{"baz":"qux"}', '[{"op":"test","path":"/baz","value":"bar"}]'],
    ['{"foo":"bar"}', '[{"op":"add","path":"/baz/bat","value":"qux"}]'],
    ['{"/":9,"~1":10}', '[{"op":"test","path":"/~01","value":"10"}]'],
    ['{}', '[{"op":"remove","path":"/a"}]'],
    ['{}', '[{"op":"replace","path":"/a","value":1}]'],
    ['{"a":1}', '[{"op":"remove","path":""}]'],
    ['[1]', '[{"op":"add","path":"/2","value":1}]'],
    ['[1]', '[{"op":"add","path":"/01","value":1}]'],
    ['[1]', '[{"op":"add","path":"/1e0","value":1}]'],
    ['[1]', '[{"op":"remove","path":"/-"}]'],
    ['[1]', '[{"op":"remove","path":"/-1"}]'],
    ['"abc"', '[{"op":"add","path":"/0","value":1}]'],
    ['{"a":{"b":1}}', '[{"op":"move","from":"/a","path":"/a/b"}]'],
    ['{"a":1}', '[{"op":"test","path":"a","value":1}]'],
    ['{"a":1}', '[{"op":"test","path":"/~2","value":1}]'],
    ['[1]', '[{"op":"test","path":"/length","value":1}]'],
    // What every object has by the language is not a member of it.
    ['{}', '[{"op":"replace","path":"/toString","value":1}]'],
    ['{}', '[{"op":"copy","from":"/constructor","path":"/a"}]'],
    ['{}', '[{"op":"add","path":"/__proto__/polluted","value":1}]'],
    ['{}', '[{"op":"add","path":"/constructor/prototype/polluted","value":1}]'],
  ])('%s with %s fails', (document, operations) => {
    expect(codeOf(() => patch(document, operations))).toBe('patch_failed')
    expect({}).not.toHaveProperty('polluted')
  })

  test('a member of any name is no more than a member', () => {
    const operations = '[{"op":"add","path":"/__proto__","value":{"polluted":1}}]'
    const made = patch('{}', operations)
    expect(JSON.stringify(made)).toBe('{"__proto__":{"polluted":1}}')
    expect(Object.getPrototypeOf(made)).toBe(Object.prototype)
    expect({}).not.toHaveProperty('polluted')
  })

  test('copies of copies have an end', () => {
    const doubled = Array.from(
      { length: 60 },
      () => ({ op: 'copy', from: '', path: '/-' }) as const,
    )
    expect(codeOf(() => applyJsonPatch([1], doubled, 4096))).toBe('payload_too_large')
  })

  test('says which operation does not fit', () => {
    const operations = '[{"op":"add","path":"/a","value":1},{"op":"remove","path":"/b"}]'
    expect(() => patch('{}', operations)).toThrow(
      expect.objectContaining({ code: 'patch_failed', facts: { index: 1 } }),
    )
  })
})

describe('[P-12.3] a merge patch (RFC 7396)', () => {
  // The examples of the RFC's appendix.
  test.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
    ['{}', '{"__proto__":{"polluted":1}}', '{"__proto__":{"polluted":1}}'],
  ])('%s with %s is %s', (target, change, expected) => {
    expect(JSON.stringify(applyMergePatch(parse(target), parse(change)))).toBe(expected)
    expect({}).not.toHaveProperty('polluted')
  })

  test('of any value by any value leaves no member that the patch sets to null', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (target, change) => {
        const once = applyMergePatch(target, change)
        expect(applyMergePatch(once, change)).toEqual(once)
      }),
    )
  })
})

describe('[P-12.3] the text of a patched value', () => {
  const merge = (change: unknown) => ({ kind: 'merge', patch: change }) as const

  test('a number that would come back as another is refused, not rounded', () => {
    for (const value of ['{"id":12345678901234567890}', '{"n":1e999}']) {
      expect(codeOf(() => patchText(value, merge({ a: 1 }), 1024))).toBe('patch_failed')
    }
    expect(patchText('{"pi":3.14,"n":1e3}', merge({ a: 1 }), 1024)).toBe(
      '{"pi":3.14,"n":1000,"a":1}',
    )
    expect(codeOf(() => patchText('{}', merge(parse('{"n":1e999}')), 1024))).toBe('patch_failed')
  })

  test('a value that no body could bring is not made by a patch either', () => {
    const operations = Array.from({ length: 40 }, (_, depth) => ({
      op: 'add' as const,
      path: '/a'.repeat(depth + 1),
      value: {},
    }))
    expect(codeOf(() => patchText('{}', { kind: 'json', operations }, 4096))).toBe('patch_failed')
  })

  test('what is not there is made by a merge patch, and not found by a JSON Patch', () => {
    expect(patchText(null, merge({ a: 1 }), 1024)).toBe('{"a":1}')
    const operations = [{ op: 'add', path: '/a', value: 1 }] as const
    expect(codeOf(() => patchText(null, { kind: 'json', operations }, 1024))).toBe(
      'state_not_found',
    )
  })
})
