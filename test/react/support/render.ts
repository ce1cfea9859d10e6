import { act, type ReactNode } from 'react'
import { createRoot } from 'react-dom/client'
import { onTestFinished } from 'vitest'

declare global {
  var IS_REACT_ACT_ENVIRONMENT: boolean | undefined
}

export interface Rendered {
  readonly container: HTMLElement
  readonly text: () => string
  render(node: ReactNode): Promise<void>
  unmount(): Promise<void>
}

/**
 * In a root of its own, until the test ends. What is rendered here is rendered with its effects when this resolves; what arrives later is rendered by the scheduler
 * in its own time, as in a page.
 */
export async function render(node: ReactNode): Promise<Rendered> {
  const container = document.createElement('div')
  document.body.append(container)
  const root = createRoot(container)
  let mounted = true
  const unmount = async (): Promise<void> => {
    if (!mounted) return
    mounted = false
    await whole(() => root.unmount())
    container.remove()
  }
  onTestFinished(unmount)
  const rendered: Rendered = {
    container,
    text: () => container.textContent,
    render: (next) => whole(() => root.render(next)),
    unmount,
  }
  await rendered.render(node)
  return rendered
}

/** Runs something with all that React does for it. */
export async function whole(run: () => void): Promise<void> {
  globalThis.IS_REACT_ACT_ENVIRONMENT = true
  try {
    // An async one, so that act waits for what follows, too.
    await act(async () => run())
  } finally {
    globalThis.IS_REACT_ACT_ENVIRONMENT = false
  }
}
