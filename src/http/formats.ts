import { fingerprint } from '../core/fingerprint.ts'
import type { Random } from '../core/random.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { FORMATS, type Format } from '../protocol/http-formats.ts'
import { ID_PATTERN } from '../protocol/ids.ts'
import type { Retry } from './append-headers.ts'
import type { BodyReader } from './append-stream.ts'
import type { Call } from './call.ts'
import { JsonLines, SseLines } from './chunk-lines.ts'
import { ENVELOPE_BYTES, EventLines } from './events-ndjson.ts'
import { ChunkBody, TextBody, type FormatOptions } from './format-readers.ts'

interface Ports {
  readonly limits: { readonly maxEventBytes: number }
  readonly random: Pick<Random, 'id'>
}

/**
 * What reads the body of an append in the name of a run, by its media type and the `format` that the request names. [P-10.13]
 * @throws HeldlineError `invalid_request`
 */
export function readerFor(call: Call, ports: Ports): (retry: Retry) => BodyReader {
  const { variant } = call.route
  const query = call.query()
  const message = messageOf(query.get('message'))
  const parent = parentOf(query.get('parent'))
  const { maxEventBytes } = ports.limits
  if (variant === 'text/plain') return (retry) => new TextBody(options(retry))
  const format = formatOf(query.get('format'))
  if (format === null && variant === 'application/x-ndjson') {
    if (message === undefined && parent === undefined) return () => new EventLines(maxEventBytes)
    throw invalid('message and parent are those of a format; events name their own')
  }
  if (format === null) throw invalid(`format is one of ${FORMATS.join(', ')}`)
  const Lines = variant === 'text/event-stream' ? SseLines : JsonLines
  return (retry) => new ChunkBody(new Lines(maxEventBytes + ENVELOPE_BYTES), format, options(retry))

  function options(retry: Retry): FormatOptions {
    return {
      maxEventBytes,
      exact: retry.key !== undefined || retry.producer !== undefined,
      message,
      parent,
      madeId: () => madeId(call.id('run'), retry.key ?? producerText(retry) ?? ports.random.id()),
    }
  }
}

/** The same run and key are the same message. */
function madeId(run: string, key: string): string {
  const id = `${run}.${key}`
  return id.length <= 128 ? id : `${run.slice(0, 90)}.${fingerprint(run, key)}`
}

function producerText({ producer }: Retry): string | undefined {
  return producer && `${producer.id}-${producer.epoch}-${producer.seq}`
}

function formatOf(text: string | undefined): Format | null {
  if (text === undefined) return null
  const format = FORMATS.find((known) => known === text)
  if (format !== undefined) return format
  throw invalid(`format is one of ${FORMATS.join(', ')}`)
}

function messageOf(text: string | undefined): string | undefined {
  if (text === undefined || ID_PATTERN.test(text)) return text
  throw invalid('message does not have the form of an id')
}

/** Empty: none. */
function parentOf(text: string | undefined): string | null | undefined {
  if (text === undefined || ID_PATTERN.test(text)) return text
  if (text === '') return null
  throw invalid('parent does not have the form of an id')
}

function invalid(why: string): HeldlineError {
  return new HeldlineError('invalid_request', `unable to append; ${why}`)
}
