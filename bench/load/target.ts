/** Where load goes, and in which words. Crosses to the load process as JSON. */
export interface Target {
  readonly dialect: 'heldline' | 'bare' | 'socket.io' | 'centrifuge' | 'nats'
  readonly port: number
  /** Where appends go, when that is another node than where readers are. */
  readonly publishPort?: number
}

/** The API key of every Heldline server of a run: it guards nothing but a loopback port. */
export const API_KEY = 'bench:a-secret-of-the-benchmark-alone-0123456789'

/** What an agent's event holds: 200 bytes of data unless a scenario says otherwise. */
export const PAYLOAD_BYTES = 200

/** JSON text of exactly so many bytes, beginning with the given members. */
export function payload(members: string, bytes: number): string {
  const open = `{${members}${members === '' ? '' : ','}"p":"`
  return `${open}${'x'.repeat(Math.max(0, bytes - open.length - 2))}"}`
}
