/** How Chromium and Firefox name the module that they could not fetch. */
const NAMED = /dynamically imported module: (\S+)/

/**
 * Fetches code where it comes to that; a call that follows a failure tries anew. Chromium before whatwg/html#10327 keeps a failure for as long as
 * the page lives, and there only another address of the same file brings it: every second try uses one.
 * @param load the `import()`
 */
export function codeLoader<T>(load: () => Promise<T>): () => Promise<T> {
  let lost = ''
  let failures = 0
  return async () => {
    try {
      if (lost === '' || failures % 2 === 0) return await load()
      const address = `${lost}${lost.includes('?') ? '&' : '?'}again=${failures}`
      return (await import(/* @vite-ignore */ /* webpackIgnore: true */ address)) as T
    } catch (error) {
      failures += 1
      lost ||= NAMED.exec(String(error))?.[1] ?? ''
      throw error
    }
  }
}
