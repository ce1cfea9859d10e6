/** Where nobody listens: else a wrong key, a session that nobody made, or a mistake in what answers is an agent that says nothing. */
export function tell(session: string): (error: unknown) => void {
  return (error) => console.error(`unable to serve the session ${session}:`, error)
}

/** Whoever is told may fail at it: that ends no serving, and what they were told of is not lost with it. */
export function tellsSafely(
  hears: (error: unknown) => unknown,
  session: string,
): (error: unknown) => void {
  return (what) => void telling(hears, what, session)
}

async function telling(
  hears: (error: unknown) => unknown,
  what: unknown,
  session: string,
): Promise<void> {
  try {
    await hears(what)
  } catch (error) {
    tell(session)(what)
    console.error('what was to hear of that failed, too (onError):', error)
  }
}
