/** Why something that carried frames is gone, as a word: there are few, whatever codes clients send. */
export const CLOSE_REASONS = [
  'normal',
  'going_away',
  'no_code',
  'broken',
  'gone',
  'bad_frame',
  'restart',
  'overloaded',
  'unauthenticated',
  'timeout',
  'too_fast',
  'slow_consumer',
  'internal',
  'other',
] as const
export type CloseReason = (typeof CLOSE_REASONS)[number]

const BY_CODE: ReadonlyMap<number | null, CloseReason> = new Map<number | null, CloseReason>([
  [null, 'gone'],
  [1000, 'normal'],
  [1001, 'going_away'],
  [1002, 'bad_frame'],
  [1003, 'bad_frame'],
  [1005, 'no_code'],
  [1006, 'broken'],
  [1007, 'bad_frame'],
  [1009, 'bad_frame'],
  [1011, 'internal'],
  [1012, 'restart'],
  [1013, 'overloaded'],
  [4400, 'bad_frame'],
  [4401, 'unauthenticated'],
  [4403, 'unauthenticated'],
  [4408, 'timeout'],
  [4413, 'bad_frame'],
  [4429, 'too_fast'],
  [4508, 'slow_consumer'],
  [4509, 'overloaded'],
])

/** @param code as it was sent or received; `null`: there is none */
export function closeReason(code: number | null): CloseReason {
  return BY_CODE.get(code) ?? 'other'
}
