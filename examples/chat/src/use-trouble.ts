import { useCallback, useState } from 'react'

export interface Trouble {
  /** What could not be done last, and why; `null`: nothing is known to be wrong. */
  readonly said: string | null
  /**
   * Does something that may fail, and says so where it does.
   * @returns whether it is done
   */
  readonly attempt: (what: string, act: () => Promise<unknown>) => Promise<boolean>
}

/** What somebody does here and does not come about is never passed over in silence. */
export function useTrouble(): Trouble {
  const [said, setSaid] = useState<string | null>(null)
  const attempt = useCallback<Trouble['attempt']>(async (what, act) => {
    setSaid(null)
    try {
      await act()
      return true
    } catch (error) {
      setSaid(`${what}: ${error instanceof Error ? error.message : String(error)}.`)
      return false
    }
  }, [])
  return { said, attempt }
}
