/**
 * A text that counts how often it is looked at: one for a code unit, the length for a copy or a search. So a test can say that work grows with the
 * text and no faster, without a clock.
 */
export function countingText(text: string): { readonly text: string; looks: () => number } {
  let looks = 0
  const count = (cost: number): void => {
    looks += cost
  }
  const methods = {
    charCodeAt: (at: number): number => {
      count(1)
      return text.charCodeAt(at)
    },
    slice: (start: number, end: number): string => {
      const copy = text.slice(start, end)
      count(copy.length + 1)
      return copy
    },
    indexOf: (search: string, from = 0): number => {
      const found = text.indexOf(search, from)
      count((found < 0 ? text.length : found) - Math.min(from, text.length) + 1)
      return found
    },
    isWellFormed: (): boolean => {
      count(text.length)
      return text.isWellFormed()
    },
  }
  /** What a pattern looks at. */
  const whole = (): string => {
    count(text.length)
    return text
  }
  const proxy: unknown = new Proxy(
    {},
    {
      get: (_, name) => {
        if (name === 'length') return text.length
        if (name === Symbol.toPrimitive) return whole
        if (typeof name === 'string' && Object.hasOwn(methods, name))
          return methods[name as keyof typeof methods]
        if (typeof name === 'string' && /^\d+$/.test(name)) {
          count(1)
          return text[Number(name)]
        }
        throw new Error(`a text that counts knows no ${String(name)}`)
      },
    },
  )
  // It has all that the functions under test use of a string, and says so when they use more.
  return { text: proxy as string, looks: () => looks }
}
