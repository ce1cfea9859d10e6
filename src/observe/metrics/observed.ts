import type { Log } from '../../core/log.ts'
import type { WebhookSender } from '../../core/webhook.ts'
import type { Numbers } from './numbers.ts'

/** A sender that is another one, and counts its tries. */
export function countedSender(sender: WebhookSender, numbers: Numbers): WebhookSender {
  const tries = numbers.series('heldline_webhook_tries_total')
  const durations = numbers.histogram('heldline_webhook_duration_seconds')
  return {
    send: async (message, signal) => {
      const began = performance.now()
      const outcome = await sender.send(message, signal)
      durations.observe((performance.now() - began) / 1000)
      tries.add(1, outcome.kind)
      return outcome
    },
  }
}

/** A log that is another one, and counts its lines. */
export function countedLog(log: Log, numbers: Numbers): Log {
  const lines = numbers.series('heldline_log_lines_total')
  const [info, warn, error] = [lines.cell('info'), lines.cell('warn'), lines.cell('error')]
  return {
    info: (event, fields) => {
      info.value++
      log.info(event, fields)
    },
    warn: (event, fields) => {
      warn.value++
      log.warn(event, fields)
    },
    error: (event, fields) => {
      error.value++
      log.error(event, fields)
    },
  }
}
