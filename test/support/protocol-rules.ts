/** Where a reader stands. [P-1.4] */
export interface Place {
  readonly epoch: string
  readonly serial: number
  readonly tag: string
}

const STOPS = new Set([1000, 1002, 1003, 1007, 1008, 1009])
const GOES_ON = new Set([4408, 4429])

/** Whether a close means not to connect again with the same credentials. [P-7.1] */
export function stops(code: number): boolean {
  return STOPS.has(code) || (code >= 4400 && code < 4500 && !GOES_ON.has(code))
}

export function parse(position: string): Place {
  const [epoch = '', serial, tag = ''] = position.split('.')
  return { epoch, serial: Number(serial), tag }
}

export function format({ epoch, serial, tag }: Place): string {
  return `${epoch}.${serial}.${tag}`
}
