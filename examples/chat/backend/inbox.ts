// The mail of people who were away when their answer was finished: what Heldline sends to WEBHOOK_URL.
import { Webhook } from 'standardwebhooks'
import * as z from 'zod'

export interface Mail {
  /** The delivery's: the same when it is sent again. */
  readonly id: string
  readonly session: string
  readonly text: string
  readonly at: number
}

const common = {
  session: z.string(),
  delivery: z.string(),
  to: z.string(),
  at: z.number(),
}
const result = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('run.finished'),
    ...common,
    // What the agent's function returned: its words. Those that are too long for a webhook are left out.
    output: z.string().default('It is too long for a letter: come and read it.'),
  }),
  z.object({ type: z.literal('run.failed'), ...common }),
])

const MAX_MAILS = 20
const MAX_PEOPLE = 1000

export class Inbox {
  readonly #verify: Webhook
  readonly #mails = new Map<string, Mail[]>()

  /** @param secret as WEBHOOK_SECRET has it: `whsec_…` */
  constructor(secret: string) {
    this.#verify = new Webhook(secret)
  }

  /**
   * @returns whether it was for an inbox: what else Heldline tells is for others
   * @throws WebhookVerificationError where it does not come from Heldline
   */
  take(body: string, headers: Record<string, string>): boolean {
    const parsed = result.safeParse(this.#verify.verify(body, headers))
    if (!parsed.success) return false
    const hook = parsed.data
    const mails = this.of(hook.to)
    if (mails.some(({ id }) => id === hook.delivery)) return true
    const text = hook.type === 'run.finished' ? hook.output : 'It could not be finished.'
    mails.unshift({ id: hook.delivery, session: hook.session, text, at: hook.at })
    mails.length = Math.min(mails.length, MAX_MAILS)
    this.#mails.delete(hook.to)
    this.#mails.set(hook.to, mails)
    const [oldest] = this.#mails.keys()
    if (this.#mails.size > MAX_PEOPLE && oldest !== undefined) this.#mails.delete(oldest)
    return true
  }

  of(subject: string): Mail[] {
    return this.#mails.get(subject) ?? []
  }
}
