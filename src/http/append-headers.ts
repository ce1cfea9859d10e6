import type { AppendRequest } from '../core/transitions/append.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { ID_PATTERN, parseProducerId } from '../protocol/ids.ts'
import { parseSerial } from '../protocol/position.ts'
import type { Call } from './call.ts'

/** What makes a retry harmless, as the headers say it. [P-2.5] [P-2.6] */
export interface Retry {
  readonly key: string | undefined
  readonly producer: AppendRequest['producer']
}

/** @throws HeldlineError `invalid_idempotency_key`, `invalid_producer` */
export function retryOf(call: Call): Retry {
  const key = call.header('idempotency-key')
  if (key !== undefined && !ID_PATTERN.test(key)) {
    throw new HeldlineError(
      'invalid_idempotency_key',
      'unable to append; the Idempotency-Key does not have the form',
    )
  }
  return { key, producer: producerOf(call) }
}

function producerOf(call: Call): AppendRequest['producer'] {
  const idText = call.header('producer-id')
  const epochText = call.header('producer-epoch')
  const seqText = call.header('producer-seq')
  if (idText === undefined && epochText === undefined && seqText === undefined) return undefined
  const id = parseProducerId(idText)
  const epoch = parseSerial(epochText)
  const seq = parseSerial(seqText)
  if (id !== null && epoch !== null && seq !== null) return { id, epoch, seq }
  throw new HeldlineError(
    'invalid_producer',
    'unable to append; the producer headers are incomplete or malformed',
  )
}
