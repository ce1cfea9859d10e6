import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  arrayElements,
  checkShape,
  elementMembers,
  MAX_JSON_DEPTH,
  MAX_JSON_KEYS,
  objectMembers,
} from '../../src/protocol/json.ts'
import { countingText } from './counting-text.ts'
import { arrayWithElements, garbage, objectWithMembers, valueText } from './spelled-json.ts'

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** As JSON.parse has it: what comes last under a key counts, and a key is only ever a key. */
const entriesOf = (text: string): [string, unknown][] => {
  const last = new Map(objectMembers(text).map(({ key, raw }) => [key, JSON.parse(raw) as unknown]))
  return [...last].toSorted(byKey)
}
/**
 * JSON.parse of V8 13 now and then gives a key that begins with an escape the name of a key which it saw before in that place (`\\`),
 * so it is no judge of such texts; the first test below judges them.
 */
const hasEscapedKey = (text: string): boolean =>
  [...text.matchAll(/"(?:[^"\\]|\\.)*"\s*:/g)].some(([key]) => key.includes('\\'))
const byKey = (a: readonly [string, unknown], b: readonly [string, unknown]): number =>
  a[0] < b[0] ? -1 : 1

describe('the members of an object', () => {
  test('are the exact texts, in order, duplicates kept [P-2.1]', () => {
    fc.assert(
      fc.property(objectWithMembers, ({ text, members }) => {
        expect(objectMembers(text)).toEqual(
          members.map(([key, raw]) => ({ key: JSON.parse(key) as string, raw })),
        )
      }),
      { numRuns: 500 },
    )
  })

  test('mean what JSON.parse says', () => {
    fc.assert(
      fc.property(objectWithMembers, ({ text }) => {
        fc.pre(!hasEscapedKey(text))
        const whole = JSON.parse(text) as Record<string, unknown>
        expect(entriesOf(text)).toEqual(Object.entries(whole).toSorted(byKey))
      }),
      { numRuns: 500 },
    )
  })

  test.each<[string, [string, string][]]>([
    ['{}', []],
    [' \t\r\n{ \n } ', []],
    ['{"a":1}', [['a', '1']]],
    [
      '{"n":12345678901234567890,"m":1.0}',
      [
        ['n', '12345678901234567890'],
        ['m', '1.0'],
      ],
    ],
    [
      '{"a":"}\\"{","b":[{"c":"]"}]}',
      [
        ['a', '"}\\"{"'],
        ['b', '[{"c":"]"}]'],
      ],
    ],
    ['{"a\\u0062":{ "x" : 1 } }', [['ab', '{ "x" : 1 }']]],
    [
      '{"__proto__":{"x":1},"a":1,"a":2}',
      [
        ['__proto__', '{"x":1}'],
        ['a', '1'],
        ['a', '2'],
      ],
    ],
    [
      '{"a":"\\\\","b":"\\\\\\""}',
      [
        ['a', '"\\\\"'],
        ['b', '"\\\\\\""'],
      ],
    ],
    [
      '{"\\ud800":1,"b":"\\udc00"}',
      [
        ['\ud800', '1'],
        ['b', '"\\udc00"'],
      ],
    ],
  ])('%s', (text, members) => {
    expect(objectMembers(text)).toEqual(members.map(([key, raw]) => ({ key, raw })))
  })
})

describe('the members of the elements of an array', () => {
  const membersOf = (element: string) => (element.startsWith('{') ? objectMembers(element) : null)

  test('are those of each element by itself, and none of what is no object [P-2.1]', () => {
    fc.assert(
      fc.property(arrayWithElements, ({ text, elements }) => {
        expect(elementMembers(text)).toEqual(elements.map(membersOf))
      }),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(fc.array(objectWithMembers, { maxLength: 4 }), (objects) => {
        const text = ` [${objects.map((object) => object.text).join(' ,')}] `
        expect(elementMembers(text)).toEqual(objects.map((object) => objectMembers(object.text)))
      }),
      { numRuns: 500 },
    )
  })

  test.each(['[]', '[{}]', '[ {"a":{"b":[{}]}} , 1,{ } ]', '[[{"a":1}],{"a":1,"a":"}"},null]'])(
    '%s',
    (text) => {
      expect(elementMembers(text)).toEqual(arrayElements(text).map(membersOf))
    },
  )
})

describe('the elements of an array', () => {
  test('are the exact texts, in order [P-2.1]', () => {
    fc.assert(
      fc.property(arrayWithElements, ({ text, elements }) => {
        expect(arrayElements(text)).toEqual(elements)
      }),
      { numRuns: 500 },
    )
  })

  test.each<[string, string[]]>([
    ['[]', []],
    [' [ \n ] ', []],
    ['[1 , "a,]" ,[ ],{ }]', ['1', '"a,]"', '[ ]', '{ }']],
    ['[[[1]],-1.50e-3,null]', ['[[1]]', '-1.50e-3', 'null']],
  ])('%s', (text, elements) => {
    expect(arrayElements(text)).toEqual(elements)
  })
})

describe('the shape of a text [P-2.3]', () => {
  test('of any JSON within the limits is accepted', () => {
    fc.assert(
      fc.property(valueText, (text) => {
        expect(checkShape(text)).toBeNull()
      }),
      { numRuns: 500 },
    )
  })

  test('of garbage is judged without a throw, and what is JSON all the same can be taken apart', () => {
    fc.assert(
      fc.property(garbage, (text) => {
        expect([null, 'invalid_utf8', 'too_deep', 'too_many_keys']).toContain(checkShape(text))
        const value = parsed(text)
        if (hasEscapedKey(text)) return
        if (Array.isArray(value))
          expect(arrayElements(text).map((raw) => JSON.parse(raw) as unknown)).toEqual(value)
        else if (typeof value === 'object' && value !== null) {
          expect(entriesOf(text)).toEqual(Object.entries(value).toSorted(byKey))
        }
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['arrays', '[', ']'],
    ['objects', '{"a":', '}'],
    ['both', '[{"a":', '}]'],
  ])('is at most 32 levels of %s', (_, open, close) => {
    const levels = (open.match(/[[{]/g) ?? []).length
    const nested = (depth: number): string => `${open.repeat(depth)}1${close.repeat(depth)}`
    expect(checkShape(nested(MAX_JSON_DEPTH / levels))).toBeNull()
    expect(checkShape(nested(MAX_JSON_DEPTH / levels + 1))).toBe('too_deep')
    expect(checkShape(open.repeat(10_000))).toBe('too_deep')
  })

  test('counts no bracket inside a string, and no closing one without its opening one', () => {
    expect(checkShape(`["${'['.repeat(1000)}"]`)).toBeNull()
    expect(checkShape(`${']'.repeat(100)}${'['.repeat(33)}`)).toBe('too_deep')
  })

  const keys = (count: number, value = '1'): string =>
    Array.from({ length: count }, (_, i) => `"k${i}":${value}`).join()

  test('is at most 1,000 keys an object, wherever it stands', () => {
    expect(checkShape(`{${keys(MAX_JSON_KEYS)}}`)).toBeNull()
    expect(checkShape(`{${keys(MAX_JSON_KEYS + 1)}}`)).toBe('too_many_keys')
    expect(checkShape(`[{"a":{${keys(MAX_JSON_KEYS + 1)}}}]`)).toBe('too_many_keys')
    expect(checkShape(`[{${keys(MAX_JSON_KEYS)}},{${keys(MAX_JSON_KEYS)}}]`)).toBeNull()
    expect(checkShape(`{${keys(MAX_JSON_KEYS, '{"a":{"b":":::"}}')}}`)).toBeNull()
    expect(checkShape(`{${keys(MAX_JSON_KEYS - 1)},"x":{"y":1},"z":1}`)).toBe('too_many_keys')
    expect(checkShape(`{${keys(MAX_JSON_KEYS, '1').replaceAll(/k\d+/g, 'same')},"same":1}`)).toBe(
      'too_many_keys',
    )
  })

  test.each<[string, string | null]>([
    ['"\ud83d\ude00"', null],
    ['"\ud83d"', 'invalid_utf8'],
    ['"\ude00\ud83d"', 'invalid_utf8'],
    ['"\\ud83d\\ude00"', null],
    ['"\\uD83D\\uDE00 \\ud83d\\ude00"', null],
    ['"\\ud83d"', 'invalid_utf8'],
    ['"\\ude00"', 'invalid_utf8'],
    ['"\\ud83d\\ud83d\\ude00"', 'invalid_utf8'],
    ['"\\ud83d \\ude00"', 'invalid_utf8'],
    ['"\\ud83d\\\\ude00"', 'invalid_utf8'],
    ['"\\\\ud83d"', null],
    ['"\\\\\\ud83d"', 'invalid_utf8'],
    ['"\\ud7ff\\ue000"', null],
    ['{"\\ud83d":1}', 'invalid_utf8'],
    ['["a","\\udfff"]', 'invalid_utf8'],
    ['"\\ud83', null],
    ['"\\', null],
    ['"', null],
    ['', null],
    ['"\\u12"', null],
    ['"\\ud83d\\u00', 'invalid_utf8'],
  ])('%j holds whole characters: %s', (text, verdict) => {
    expect(checkShape(text)).toBe(verdict)
  })

  test('agrees with JSON.parse on which strings are whole', () => {
    const unit = fc.constantFrom('\\ud83d', '\\ude00', '\\u0041', 'a', '\\\\', '\\n', '😀')
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 6 }), (units) => {
        const text = `"${units.join('')}"`
        expect(checkShape(text) === null).toBe((JSON.parse(text) as string).isWellFormed())
      }),
      { numRuns: 500 },
    )
  })
})

describe('a text of 100 kB', () => {
  const size = 100_000
  const fill = (piece: string): string => piece.repeat(Math.floor(size / piece.length))
  const adversarial: [string, string][] = [
    ['opening brackets', fill('[')],
    ['brackets that open and close', fill('[]')],
    ['quotes', fill('"')],
    ['backslashes', `"${fill('\\')}`],
    ['escapes', `"${fill('\\u0041')}"`],
    ['pairs of surrogates', `"${fill('\\ud83d\\ude00')}"`],
    ['escapes that begin', `"${fill('\\u')}"`],
    ['colons', `[${fill(':')}`],
    ['short strings', `[${fill('"",')}""]`],
    ['spaces', fill(' ')],
    ['one long string', `["${fill('a')}"]`],
    ['digits', `[${fill('1')}]`],
    ['strings that never close', fill('"\\"')],
  ]
  /** A few looks at each unit: by the scan, by the search for a string's end, again by who reads an escape. */
  const LOOKS = 7

  test.each(adversarial)('of %s is judged in one pass', (_, text) => {
    const counting = countingText(text)
    checkShape(counting.text)
    expect(counting.looks()).toBeLessThan(LOOKS * text.length)
  })

  test('is taken apart in one pass, whatever its members hold', () => {
    const values = [
      '1',
      '" "',
      '[]',
      '{}',
      `"${'\\\\'.repeat(20)}"`,
      '[[[[1]]]]',
      '"\\ud83d\\ude00"',
    ]
    for (const value of values) {
      const members = fill(`"k":${value} , `)
      const object = countingText(`{${members}"k":1}`)
      expect(objectMembers(object.text).length).toBeGreaterThan(100)
      expect(object.looks()).toBeLessThan(LOOKS * object.text.length)
      const array = countingText(`[${fill(`${value} , `)}1]`)
      expect(arrayElements(array.text).length).toBeGreaterThan(100)
      expect(array.looks()).toBeLessThan(LOOKS * array.text.length)
    }
  })
})
