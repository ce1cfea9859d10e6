/**
 * What a client does after a close, by code. The ranges speak: 1000–1099 and 4500–4599 reconnect,
 * 4400–4499 do not, but for the rows named here. [P-7]
 */
export type CloseReaction = 'reconnect' | 'refresh-token' | 'stop'

const EXCEPTIONS: Readonly<Record<number, CloseReaction>> = {
  1000: 'stop',
  1002: 'stop',
  1003: 'stop',
  1007: 'stop',
  1008: 'stop',
  1009: 'stop',
  4401: 'refresh-token',
  4408: 'reconnect',
  4429: 'reconnect',
}

export function closeReaction(code: number): CloseReaction {
  return EXCEPTIONS[code] ?? (code >= 4400 && code < 4500 ? 'stop' : 'reconnect')
}

export const CLOSE = {
  normal: 1000,
  unsupportedData: 1003,
  restart: 1012,
  overloaded: 1013,
  badFrame: 4400,
  unauthenticated: 4401,
  timeout: 4408,
} as const
