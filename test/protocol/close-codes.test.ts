import { describe, expect, test } from 'vitest'
import { closeReaction } from '../../src/protocol/close-codes.ts'

describe('what a client does after a close [P-7.1]', () => {
  test.each([1000, 1002, 1003, 1007, 1008, 1009, 4400, 4403, 4404, 4413, 4499])(
    '%i: stop',
    (code) => {
      expect(closeReaction(code)).toBe('stop')
    },
  )

  test.each([1001, 1005, 1006, 1011, 1012, 1013, 4408, 4429, 4500, 4508, 4509, 4599])(
    '%i: reconnect',
    (code) => {
      expect(closeReaction(code)).toBe('reconnect')
    },
  )

  test('4401: get a new token once', () => {
    expect(closeReaction(4401)).toBe('refresh-token')
  })
})
