const FIRST_MS = 250
const BASE_MS = 500
const CAP_MS = 15_000

/**
 * Full jitter: the first attempt at once (0–250 ms, so that a node's whole crowd does not come in the same millisecond),
 * then 0–500 ms, 0–1 s … 0–15 s.
 * @param attempt how many attempts have failed, from 0
 */
export function backoffMs(attempt: number, random: () => number): number {
  const ceiling =
    attempt === 0 ? FIRST_MS : Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt - 1, 10))
  return Math.floor(random() * ceiling)
}
