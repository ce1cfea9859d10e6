import type { overHttp } from './over-http.ts'

export interface OverHttpModule {
  readonly overHttp: typeof overHttp
}

/** How Chromium and Firefox name the module that they could not fetch. */
const NAMED = /dynamically imported module: (\S+)/

let lost = ''
let failures = 0

/**
 * Fetches the code; a call that follows a failure tries anew. Chromium before whatwg/html#10327 keeps a failure for as long as
 * the page lives, and there only another address of the same file brings it: every second try uses one.
 */
export async function loadOverHttp(): Promise<OverHttpModule> {
  try {
    if (lost === '' || failures % 2 === 0) return await import('./over-http.ts')
    const address = `${lost}${lost.includes('?') ? '&' : '?'}again=${failures}`
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ address)) as OverHttpModule
  } catch (error) {
    failures += 1
    lost ||= NAMED.exec(String(error))?.[1] ?? ''
    throw error
  }
}
