const MAX_TEXT = 1000

/** What a credential looks like, wherever it turns up. Each pattern is linear. */
const CREDENTIALS: readonly (readonly [RegExp, string])[] = [
  [/heldline\.auth\.[A-Za-z0-9_-]+/g, 'heldline.auth.[redacted]'],
  [/eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,2}/g, '[redacted]'],
  [/\b(Bearer|Basic)\s+[^\s"',]+/gi, '$1 [redacted]'],
  [/([?&](?:ticket|token|access_token|api_?key|key|secret|password)=)[^&\s"'#]*/gi, '$1[redacted]'],
  [/:\/\/[^\s/@]*@/g, '://[redacted]@'],
  // What Redis quotes of a command that it does not take.
  [/, with args beginning with:.*/gs, ''],
]

// oxlint-disable-next-line no-control-regex -- these are what is escaped
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** A text as a log may hold it: short, without credentials, and without characters that write lines or move a terminal's cursor. */
export function scrub(text: string): string {
  let clean = text.slice(0, 4 * MAX_TEXT)
  for (const [pattern, replacement] of CREDENTIALS) clean = clean.replace(pattern, replacement)
  const cut = clean.length > MAX_TEXT ? `${clean.slice(0, MAX_TEXT)}…` : clean
  return cut
    .toWellFormed()
    .replace(CONTROLS, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
