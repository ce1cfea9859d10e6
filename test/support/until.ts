const LOOK_EVERY_MS = 10
/** What lasts is looked at less often: a look costs what is looked at something, too, a whole page of a browser not least. */
const LOOK_LESS_AFTER_MS = 500
const LOOK_LESS_EVERY_MS = 50

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
  const began = performance.now()
  while (!(await holds())) {
    const tookMs = performance.now() - began
    if (tookMs > withinMs) {
      const found = instead === undefined ? '' : `; instead: ${JSON.stringify(await instead())}`
      throw new Error(`not within ${withinMs} ms: ${what}${found}`)
    }
    await pause(tookMs < LOOK_LESS_AFTER_MS ? LOOK_EVERY_MS : LOOK_LESS_EVERY_MS)
  }
}

/** The pace of a load, or of a look; never a proof that something did not happen. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
