/**
 * What the client wants to know of the page it lives in. Outside a browser there is none: always visible, never told
 * anything, and nothing of it is needed. [R25]
 */
export interface Page {
  visible(): boolean
  /** Runs before the next paint, where there is one to come; `null`: there is not. */
  frame(run: () => void): (() => void) | null
  on(listener: (event: PageEvent) => void): () => void
}

/**
 * `wake`: there is reason to think that the network or the eyes are back (online, visible, shown from the back/forward
 * cache, resumed, focused). `leaving`: this may be the last moment to write something down.
 */
export type PageEvent = 'wake' | 'visible' | 'hidden' | 'offline' | 'online' | 'leaving'

export const noPage: Page = {
  visible: () => true,
  frame: () => null,
  on: () => () => {},
}

/** The page that the globals tell of; in a worker, which has a network but no document, only that. */
export function findPage(): Page {
  if (typeof globalThis.addEventListener !== 'function') return noPage
  const { document } = globalThis
  return {
    visible: () => document === undefined || document.visibilityState !== 'hidden',
    frame(run) {
      if (document === undefined || document.visibilityState === 'hidden') return null
      const handle = requestAnimationFrame(run)
      return () => cancelAnimationFrame(handle)
    },
    on: (listener) => listen(listener, document),
  }
}

function listen(tell: (event: PageEvent) => void, document: Document | undefined): () => void {
  const stop = new AbortController()
  const on = (target: EventTarget, name: string, run: (event: Event) => void): void =>
    target.addEventListener(name, run, { signal: stop.signal })
  on(globalThis, 'online', () => tell('online'))
  on(globalThis, 'offline', () => tell('offline'))
  if (document === undefined) return () => stop.abort()
  on(document, 'visibilitychange', () => {
    tell(document.visibilityState === 'hidden' ? 'hidden' : 'visible')
  })
  on(document, 'resume', () => tell('wake'))
  on(globalThis, 'focus', () => tell('wake'))
  on(globalThis, 'pagehide', () => tell('leaving'))
  on(globalThis, 'pageshow', (event) => {
    if ((event as PageTransitionEvent).persisted) tell('wake')
  })
  return () => stop.abort()
}
