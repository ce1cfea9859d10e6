import type { Socket } from 'node:net'
import type { ConnectionError } from 'fastify'
import { HeldlineError } from '../protocol/errors.ts'
import { problem } from './problem.ts'

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

/** Answers bytes that never became a request, and closes. Nothing of what came is repeated. */
export function refuseBytes(error: ConnectionError, socket: Socket, requestId: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable || hasBegun(socket)) {
    socket.destroy()
    return
  }
  const { status, headers, body } = problem(refusalOf(error), requestId)
  const lines = [
    `HTTP/1.1 ${status} ${REASONS[status] ?? 'Error'}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'x-content-type-options: nosniff',
    `x-request-id: ${requestId}`,
    'connection: close',
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

function refusalOf(error: ConnectionError): HeldlineError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new HeldlineError(
        'headers_too_large',
        'unable to take the request; its headers are too large',
      )
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HeldlineError(
        'request_timeout',
        'unable to take the request; it did not arrive in time',
      )
    default:
      return new HeldlineError(
        'invalid_request',
        'unable to take the request; the bytes are not HTTP/1.1',
      )
  }
}

/** Whether an answer is on its way on this socket: a second one would end up in its middle. */
function hasBegun(socket: Socket): boolean {
  // Node's own handler asks the same; there is no public name for it.
  const { _httpMessage: answer } = socket as Socket & {
    _httpMessage?: { headersSent: boolean } | null
  }
  return answer?.headersSent === true
}
