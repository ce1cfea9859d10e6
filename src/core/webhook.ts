/** THE list of what a webhook may be told of: the `type` of what is sent. [P-15.3] [P-17] */
export const WEBHOOK_EVENTS = [
  'run.finished',
  'run.failed',
  'input.received',
  'presence.attached',
  'presence.empty',
] as const
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number]

/** What the webhook is told of; empty where there is none. */
export type WebhookEvents = ReadonlySet<WebhookEvent>

/** What sends to the webhook, as a port: `src/webhooks/sender.ts` is it. */
export interface WebhookSender {
  /**
   * One try, bounded in time. Never throws.
   * @param message.id the same in every try, so that the receiver can tell a repetition
   */
  send(message: WebhookMessage, signal: AbortSignal): Promise<WebhookOutcome>
}

export interface WebhookMessage {
  readonly id: string
  /** JSON. */
  readonly body: string
}

/** `reason`: a word for people, such as `status_500`; nothing of what the receiver said. */
export type WebhookOutcome =
  | { readonly kind: 'taken' }
  /** The receiver wants it never again. */
  | { readonly kind: 'refused'; readonly reason: string }
  | {
      readonly kind: 'failed'
      readonly reason: string
      /** What the receiver asked for. */
      readonly retryAfterMs: number | null
    }
