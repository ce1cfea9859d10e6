const LOOK_EVERY_MS = 10

export interface UntilOptions {
  readonly withinMs?: number
  /** Called when it did not become so: what is there instead. */
  readonly instead?: () => unknown
}

/** Waits until something is so. @throws Error that says what never was */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  { withinMs = 30_000, instead }: UntilOptions = {},
): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > end) {
      const found = instead === undefined ? '' : `; instead: ${JSON.stringify(instead())}`
      throw new Error(`not within ${withinMs} ms: ${what}${found}`)
    }
    await pause(LOOK_EVERY_MS)
  }
}

/** The pace of a load, or of a look; never a proof that something did not happen. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
