// What a window of the chat shows, read within it: each of the functions stands for itself.

export interface Shown {
  readonly role: string
  readonly status: string
  /** Of all that is said, a line for each part; drawings and marks of the page aside. */
  readonly text: string
}

function readShown(): Shown[] {
  return [...document.querySelectorAll<HTMLElement>('.message')].map((row) => ({
    role: row.dataset['role'] ?? '',
    status: row.dataset['status'] ?? '',
    text: [...row.querySelectorAll('.text')].map(({ textContent }) => textContent).join('\n'),
  }))
}

/** Everything of the conversation, tools and thoughts as well, to the letter. */
function readConversation(): string {
  return document.querySelector('.messages')?.textContent ?? ''
}

export interface Report {
  /** What came out of order, twice or not at all, by the page's own count. */
  readonly wrong: number
  readonly serial: number
  /** How often the line was there again. */
  readonly back: number
  readonly line: string
  /** Letters of what agents said, thoughts and tools included. */
  readonly written: number
  /** What the page complains of. */
  readonly alerts: string[]
}

function readReport(): Report {
  const count = (what: string): number =>
    Number(document.querySelector(`[data-what="${what}"]`)?.textContent ?? 0)
  const texts = (selector: string): string[] =>
    [...document.querySelectorAll(selector)].map(({ textContent }) => textContent)
  return {
    wrong: count('wrong'),
    serial: count('serial'),
    back: count('back'),
    line: document.querySelector<HTMLElement>('.pill.line')?.dataset['state'] ?? '',
    written: texts('[data-role="assistant"] .parts').join('').length,
    alerts: texts('[role="alert"], [data-status="failed"] .mark'),
  }
}

/** A window or a tab with the chat, by what can be read in it. */
export abstract class ReadPage {
  /** Runs it within the page. */
  protected abstract read<Result>(look: () => Result): Promise<Result>

  /** All that is written in the conversation, message by message; drawings and marks of the page aside. */
  messages(): Promise<Shown[]> {
    return this.read(readShown)
  }

  conversation(): Promise<string> {
    return this.read(readConversation)
  }

  report(): Promise<Report> {
    return this.read(readReport)
  }
}
