const LOCAL = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?$/

/**
 * Whether a browser of an origin may connect: exactly those that are listed. Outside production, an empty list allows pages of this
 * very machine, so that a first try needs no setting. [P-6.5]
 */
export function originRule(
  allowed: readonly string[],
  production: boolean,
): (origin: string) => boolean {
  const exact = new Set(allowed)
  const local = !production && exact.size === 0
  return (origin) => exact.has(origin) || (local && LOCAL.test(origin))
}
