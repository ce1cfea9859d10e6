const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const TIME_LETTERS = 10
const RANDOM_LETTERS = 16

/** A ULID: 48 bits of time, so that ids sort by birth, and 80 random bits. */
export function mintId(now: number): string {
  let time = ''
  for (let rest = now, i = 0; i < TIME_LETTERS; i++, rest = Math.floor(rest / 32)) {
    time = ALPHABET.charAt(rest % 32) + time
  }
  const bytes = crypto.getRandomValues(new Uint8Array(RANDOM_LETTERS))
  return time + Array.from(bytes, (byte) => ALPHABET.charAt(byte % 32)).join('')
}
