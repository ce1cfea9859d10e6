import type { Browser, CDPSession } from 'playwright-core'

/**
 * A window of Chromium whose tabs are in front, behind or frozen as a person's are. Playwright tells each of its own pages that it is in front and looked at,
 * whatever is done to it, and such a page is never hidden and never frozen.
 */
export class RealWindow {
  readonly #browser: CDPSession
  readonly #context: string

  private constructor(browser: CDPSession, context: string) {
    this.#browser = browser
    this.#context = context
  }

  static async open(browser: Browser): Promise<RealWindow> {
    const session = await browser.newBrowserCDPSession()
    const { browserContextId } = await session.send('Target.createBrowserContext')
    return new RealWindow(session, browserContextId)
  }

  /** Another tab of it, in front of the others. Resolves when the page is loaded. */
  async tab(url: string): Promise<RealTab> {
    const { targetId } = await this.#browser.send('Target.createTarget', {
      url: 'about:blank',
      browserContextId: this.#context,
    })
    const tab = await RealTab.attach(this.#browser, targetId)
    await tab.goto(url)
    return tab
  }

  /** With everything in it. */
  async close(): Promise<void> {
    await this.#browser.send('Target.disposeBrowserContext', { browserContextId: this.#context })
    await this.#browser.detach()
  }
}

interface Answer {
  readonly id?: number
  readonly method?: string
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

interface Evaluated {
  readonly result: { readonly value?: unknown }
  readonly exceptionDetails?: {
    readonly text: string
    readonly exception?: { readonly description?: string }
  }
}

interface Pending {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

export class RealTab {
  readonly #browser: CDPSession
  readonly #target: string
  readonly #session: string
  readonly #pending = new Map<number, Pending>()
  /** What was thrown in it and not caught. */
  readonly problems: string[] = []
  #count = 0

  private constructor(browser: CDPSession, target: string, session: string) {
    this.#browser = browser
    this.#target = target
    this.#session = session
    browser.on('Target.receivedMessageFromTarget', ({ sessionId, message }) => {
      if (sessionId === session) this.#take(JSON.parse(message) as Answer & { params?: unknown })
    })
  }

  static async attach(browser: CDPSession, targetId: string): Promise<RealTab> {
    // Not flattened: Playwright's session passes on only what it knows of.
    const { sessionId } = await browser.send('Target.attachToTarget', { targetId, flatten: false })
    const tab = new RealTab(browser, targetId, sessionId)
    await tab.send('Page.enable')
    await tab.send('Runtime.enable')
    return tab
  }

  async goto(url: string): Promise<void> {
    await this.send('Page.navigate', { url })
    await this.evaluate(
      () =>
        new Promise<void>((resolve) => {
          if (document.readyState === 'complete') resolve()
          else addEventListener('load', () => resolve())
        }),
    )
  }

  /** The others of its window are behind it from now on, hidden. */
  async front(): Promise<void> {
    await this.#browser.send('Target.activateTarget', { targetId: this.#target })
  }

  /** As Chromium does to save energy: hidden, and nothing of it runs until it is woken. */
  async freeze(): Promise<void> {
    await this.send('Page.setWebLifecycleState', { state: 'frozen' })
  }

  /** Lets it run again, and looks at it. */
  async wake(): Promise<void> {
    await this.send('Page.setWebLifecycleState', { state: 'active' })
    await this.front()
  }

  /** @param run stands for itself: it is run in the page @throws Error what it throws there */
  async evaluate<Arg, Result>(
    run: (arg: Arg) => Result | Promise<Result>,
    arg?: Arg,
  ): Promise<Result> {
    const answer = (await this.send('Runtime.evaluate', {
      expression: `(${run.toString()})(${arg === undefined ? '' : JSON.stringify(arg)})`,
      awaitPromise: true,
      returnByValue: true,
    })) as Evaluated
    if (answer.exceptionDetails !== undefined) {
      const { text, exception } = answer.exceptionDetails
      throw new Error(exception?.description ?? text)
    }
    // JSON, of what `run` gives.
    return answer.result.value as Result
  }

  /** Writes into what has the focus, and presses Enter. */
  async type(text: string): Promise<void> {
    await this.send('Input.insertText', { text })
    const key = { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13 }
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', text: '\r', ...key })
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...key })
  }

  send(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#count
    const message = JSON.stringify({ id, method, params })
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
      this.#browser
        .send('Target.sendMessageToTarget', { sessionId: this.#session, message })
        .catch(reject)
    })
  }

  #take({ id, method, result, error, params }: Answer & { params?: unknown }): void {
    if (method === 'Runtime.exceptionThrown') this.problems.push(JSON.stringify(params))
    const pending = this.#pending.get(id ?? 0)
    if (pending === undefined) return
    this.#pending.delete(id ?? 0)
    if (error === undefined) pending.resolve(result)
    else pending.reject(new Error(error.message))
  }
}
