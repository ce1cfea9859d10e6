import { afterEach, describe, expect, test, vi } from 'vitest'
import { findPage, type PageEvent } from '../../src/client/page.ts'
import { findStorages } from '../../src/client/storage.ts'

afterEach(() => vi.unstubAllGlobals())

/** The part of a browser that the client looks at. */
function stubBrowser() {
  const window = new EventTarget()
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  vi.stubGlobal('document', document)
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window))
  // The page listens to the global object itself.
  vi.stubGlobal('requestAnimationFrame', () => 1)
  vi.stubGlobal('cancelAnimationFrame', () => undefined)
  return { window, document }
}

describe('the page', () => {
  test('[R25] without window and document there is none, and nothing survives a reload', () => {
    expect(globalThis.document).toBeUndefined()
    const page = findPage()
    expect(page.visible()).toBe(true)
    expect(page.frame(() => {})).toBeNull()
    page.on(() => {})()
    expect(findStorages()).toEqual({ local: null, tab: null })
  })

  test('in a browser, every reason to look is told, and nothing after leaving', () => {
    const { window, document } = stubBrowser()
    const told: PageEvent[] = []
    const page = findPage()
    const off = page.on((event) => told.push(event))
    const all = () => {
      for (const name of ['online', 'offline', 'focus', 'pagehide'])
        window.dispatchEvent(new Event(name))
      for (const persisted of [false, true]) {
        window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted }))
      }
      document.dispatchEvent(new Event('resume'))
      document.visibilityState = 'hidden'
      document.dispatchEvent(new Event('visibilitychange'))
      document.visibilityState = 'visible'
      document.dispatchEvent(new Event('visibilitychange'))
    }
    all()
    expect(told).toEqual([
      'online',
      'offline',
      'wake',
      'leaving',
      'wake',
      'wake',
      'hidden',
      'visible',
    ])
    off()
    all()
    expect(told).toHaveLength(8)
  })

  test('storage that may not even be looked at is none', () => {
    stubBrowser()
    for (const name of ['localStorage', 'sessionStorage']) {
      vi.stubGlobal(name, undefined)
      Object.defineProperty(globalThis, name, {
        configurable: true,
        get: () => {
          throw new Error('denied')
        },
      })
    }
    expect(findStorages()).toEqual({ local: null, tab: null })
  })
})
