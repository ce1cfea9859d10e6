import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GENESIS_TAG, type Epoch, type Tag } from '../../src/protocol/ids.ts'
import {
  formatPosition,
  genesis,
  parsePosition,
  parseSerial,
  samePosition,
} from '../../src/protocol/position.ts'

// The patterns are those of the ids, so these casts are their parsers.
const position = fc.record({
  epoch: fc.stringMatching(/^[A-Za-z0-9_-]{10}$/).map((text) => text as Epoch),
  serial: fc.maxSafeNat(),
  tag: fc.stringMatching(/^[A-Za-z0-9_-]{8}$/).map((text) => text as Tag),
})

describe('a position [P-1.4]', () => {
  test('comes back from its text', () => {
    fc.assert(
      fc.property(position, (position) => {
        expect(parsePosition(formatPosition(position))).toEqual(position)
      }),
    )
  })

  test('has one text: what parses is what would be written', () => {
    const near = fc.stringMatching(/^[A-Za-z0-9_-]{9,11}\.[0-9e+-]{1,17}\.[A-Za-z0-9_.-]{7,9}$/)
    fc.assert(
      fc.property(
        fc.oneof(near, fc.string({ unit: 'binary' }), position.map(formatPosition)),
        (text) => {
          const parsed = parsePosition(text)
          if (parsed !== null) expect(formatPosition(parsed)).toBe(text)
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('names content: another epoch, serial or tag is another position', () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        expect(samePosition(a, b)).toBe(formatPosition(a) === formatPosition(b))
        expect(samePosition(a, { ...a })).toBe(true)
        expect(
          samePosition(a, { ...a, tag: (a.tag === 'aaaaaaaa' ? 'bbbbbbbb' : 'aaaaaaaa') as Tag }),
        ).toBe(false)
        expect(samePosition(a, { ...a, serial: a.serial + 1 })).toBe(false)
      }),
    )
  })

  test('before the first event has the serial 0 and its own tag', () => {
    const start = genesis('abcdefghij' as Epoch)
    expect(formatPosition(start)).toBe('abcdefghij.0.--------')
    expect(start.tag).toBe(GENESIS_TAG)
  })

  test.each<unknown>([
    '',
    '..',
    'abcdefghij',
    'abcdefghij.1',
    'abcdefghij.1.',
    'abcdefghi.1.abcdefgh',
    'abcdefghij.1.abcdefg',
    'abcdefghij.1.abcdefgh.',
    'abcdefghij.1.abcdefgh.x',
    'abcdefghij.-1.abcdefgh',
    'abcdefghij.01.abcdefgh',
    'abcdefghij.1e3.abcdefgh',
    'abcdefghij. 1.abcdefgh',
    'abcdefghij.9007199254740992.abcdefgh',
    'abcdefghij.1.abcdefgh\n',
    ' abcdefghij.1.abcdefgh',
    `abcdefghij.${'1'.repeat(100_000)}.abcdefgh`,
    '.'.repeat(100_000),
    7,
    null,
    undefined,
    ['abcdefghij.1.abcdefgh'],
  ])('is not %j', (text) => {
    expect(parsePosition(text)).toBeNull()
  })
})

describe('a serial as text [P-1.3]', () => {
  test.each([
    ['0', 0],
    ['1', 1],
    ['42', 42],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('%s', (text, serial) => {
    expect(parseSerial(text)).toBe(serial)
  })

  test.each<unknown>([
    '',
    '00',
    '01',
    '-0',
    '-1',
    '+1',
    '1.0',
    '1e3',
    '0x1',
    ' 1',
    '1 ',
    '1\n',
    '١',
    'NaN',
    'Infinity',
    '9007199254740992',
    '99999999999999999999',
    1,
    null,
  ])('is not %j', (text) => {
    expect(parseSerial(text)).toBeNull()
  })
})
