import fc from 'fast-check'

/** JSON texts in every spelling that the grammar allows, so that a text differs from what JSON.stringify would write. */

const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/)

const plain = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 4 })
  // oxlint-disable-next-line no-control-regex -- these may not stand in a JSON string
  .filter((text) => !/["\\\u0000-\u001f]/.test(text) && text.isWellFormed())
const escape = fc.constantFrom(
  '\\"',
  '\\\\',
  '\\/',
  '\\b',
  '\\n',
  '\\u0041',
  '\\u00e9',
  '\\uD83D\\ude00',
  '\\u0000',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
)
export const stringText = fc
  .array(fc.oneof(plain, escape), { maxLength: 5 })
  .map((pieces) => `"${pieces.join('')}"`)

const numberText = fc.oneof(
  fc.constantFrom('0', '-0', '1.0', '1e5', '1E+2', '-1.50e-3', '12345678901234567890', '0.1000'),
  fc.integer().map(String),
)

interface Spelled {
  readonly value: string
  readonly array: string
  readonly object: string
}

const texts = fc.letrec<Spelled>((tie: fc.LetrecTypedTie<Spelled>) => {
  const value = tie('value')
  return {
    value: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'json' },
      fc.constantFrom('null', 'true', 'false'),
      numberText,
      stringText,
      tie('array'),
      tie('object'),
    ),
    array: fc.array(value, { maxLength: 4, depthIdentifier: 'json' }).chain(arrayOf),
    object: fc
      .array(fc.tuple(keyText(), value), { maxLength: 4, depthIdentifier: 'json' })
      .chain(objectOf),
  }
})

export const valueText = texts.value

/** Few names, so that duplicates come up; and those that bite. */
function keyText(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom('"a"', '"\\u0061"', '"__proto__"', '"constructor"', '""'),
    stringText,
  )
}

/** With space between the pieces, and none around them. */
const spaced = (pieces: readonly string[]): fc.Arbitrary<string> =>
  fc
    .array(space, { minLength: pieces.length, maxLength: pieces.length })
    .map((spaces) => pieces.map((piece, i) => (i === 0 ? '' : (spaces[i] ?? '')) + piece).join(''))

const padded = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(space, text, space).map((pieces) => pieces.join(''))

function arrayOf(values: readonly string[]): fc.Arbitrary<string> {
  return spaced(['[', ...values.flatMap((value, i) => (i === 0 ? [value] : [',', value])), ']'])
}

function objectOf(members: readonly (readonly [string, string])[]): fc.Arbitrary<string> {
  const pieces = members.flatMap(([key, value], i) => [...(i === 0 ? [] : [',']), key, ':', value])
  return spaced(['{', ...pieces, '}'])
}

/** An array's text together with the exact texts of its elements. */
export const arrayWithElements = fc
  .array(valueText, { maxLength: 6 })
  .chain((elements) => padded(arrayOf(elements)).map((text) => ({ text, elements })))

/** An object's text together with the exact texts of its members. */
export const objectWithMembers = fc
  .array(fc.tuple(keyText(), valueText), { maxLength: 6 })
  .chain((members) => padded(objectOf(members)).map((text) => ({ text, members })))

/** Texts that are rarely JSON: any code units, and the pieces that JSON is made of in any order. */
export const garbage = fc.oneof(
  fc.array(fc.nat(0xffff), { maxLength: 40 }).map((units) => String.fromCharCode(...units)),
  fc
    .array(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        '"',
        '\\',
        ':',
        ',',
        'u',
        'd83d',
        '\\ud83d',
        '\\ude00',
        '1',
        'e',
        'null',
        ' ',
        '\ud83d',
        '\ude00',
      ),
      { maxLength: 40 },
    )
    .map((pieces) => pieces.join('')),
)
