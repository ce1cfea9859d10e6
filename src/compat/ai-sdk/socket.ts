import type { Grant } from '../../core/access.ts'
import type { Timer } from '../../core/clock.ts'
import type { Door, Line, Visitor } from '../../core/door.ts'
import { expected } from '../../core/error-frame.ts'
import { Outbox } from '../../core/outbox.ts'
import { Rate } from '../../core/rate.ts'
import { errorRow, type HeldlineError } from '../../protocol/errors.ts'
import type { ChatFrame } from '../../protocol/http-ai-sdk.ts'
import { sessionOf, type AiSdkChat } from './chat.ts'
import { parseChatFrame } from './frames.ts'
import type { AiSdkPorts } from './ports.ts'
import { SocketRequest } from './socket-request.ts'

/** Where the stock `WebSocketChatTransport` connects. */
export const AI_SDK_SOCKET = '/compat/ai-sdk/ws'
const PROTOCOL = 'heldline.ai-sdk.v1'
/** A client sends all of its messages with each of its requests. */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024
/** Requests of one socket that are under way. */
const MAX_OPEN = 32

type Ports = Pick<AiSdkPorts, 'clock' | 'limits' | 'log' | 'onAbort'>
type SendFrame = Extract<ChatFrame, { type: 'send' }>

/** The door to the frames of `WebSocketChatTransport`. [P-18.7] */
export function aiSdkDoor(chat: AiSdkChat, ports: Ports): Door {
  return {
    path: AI_SDK_SOCKET,
    protocol: PROTOCOL,
    maxFrameBytes: MAX_REQUEST_BYTES,
    open: (line, grant) => new ChatSocket(line, grant, chat, ports),
  }
}

/**
 * One socket of a stock client. What cannot be undone there is an `error` frame, which ends that request for its client for good; whatever may go better
 * the next time closes the socket instead, since that alone makes the client resume.
 */
class ChatSocket implements Visitor {
  readonly #line: Line
  readonly #grant: Grant
  readonly #chat: AiSdkChat
  readonly #ports: Ports
  readonly #outbox: Outbox<string>
  readonly #rate: Rate
  readonly #requests = new Map<string, SocketRequest>()
  readonly #expiry: Timer | null

  constructor(line: Line, grant: Grant, chat: AiSdkChat, ports: Ports) {
    const { clock, limits } = ports
    const now = clock.now()
    this.#line = line
    this.#grant = grant
    this.#chat = chat
    this.#ports = ports
    this.#outbox = new Outbox(line, limits, now)
    this.#rate = new Rate(limits.framesPerSecond, limits.framesBurst, now)
    const { expiresAt } = grant
    this.#expiry =
      expiresAt === null
        ? null
        : clock.after(Math.max(0, expiresAt - now), () => line.close(4401, 'the token is over'))
  }

  receive(text: string): void {
    const { clock } = this.#ports
    if (this.#rate.take(clock.now()) > 0) return this.#line.close(4429, 'too many frames')
    const frame = parseChatFrame(text)
    if (frame === null) return this.#line.close(4400, 'not a frame of this protocol')
    const { requestId } = frame
    if (frame.type === 'abort') return this.#abort(frame)
    if (this.#requests.has(requestId)) return this.#line.close(4400, 'this request id is in use')
    if (this.#requests.size >= MAX_OPEN) return this.#line.close(4429, 'too many requests at once')
    void this.#begin(frame)
  }

  drained(): void {
    for (const request of this.#requests.values()) request.pump()
  }

  beat(): void {
    this.#outbox.check(this.#ports.clock.now())
  }

  lost(): void {
    this.#expiry?.cancel()
    this.#outbox.close()
    for (const request of this.#requests.values()) request.close()
    this.#requests.clear()
  }

  async #begin(frame: Exclude<ChatFrame, { type: 'abort' }>): Promise<void> {
    const { requestId } = frame
    const isOpen = (): boolean => this.#requests.get(requestId) === request
    const end = (last: object): void => {
      if (!isOpen()) return
      this.#requests.delete(requestId)
      request.close()
      this.#send({ ...last, requestId })
    }
    // What its client has left is nobody's: its id may be in use again.
    const fail = (error: HeldlineError): void => this.#refuse(error, isOpen, end)
    const request: SocketRequest = new SocketRequest({
      ready: () => this.#outbox.ready(),
      chunk: (chunk, sequence) => this.#send({ type: 'chunk', requestId, sequence, chunk }),
      end: () => end({ type: 'end' }),
      fail,
      cut: () => this.#line.close(1012, 'resume: the answer was begun anew'),
    })
    this.#requests.set(requestId, request)
    try {
      const session = sessionOf(frame.id)
      const isSend = frame.type === 'send'
      const target = isSend
        ? await this.#chat.send(this.#grant, session, requestOf(frame))
        : await this.#chat.active(this.#grant, session, frame.body['last'] === true)
      if (target === null) return end({ type: 'no-active' })
      const cancel = () => this.#chat.cancel(this.#grant, session, request.target ?? target)
      request.found(target, () => this.#settle(cancel()))
      if (request.closed) return
      if (!isSend) this.#send({ type: 'start', requestId })
      await request.follow(this.#chat.response(session, target, request))
    } catch (error) {
      fail(expected(error))
    }
  }

  /** To leave is not to stop, and a stock client cannot say which it means. */
  #abort({ requestId, intent = this.#ports.onAbort }: Extract<ChatFrame, { type: 'abort' }>): void {
    const request = this.#requests.get(requestId)
    this.#requests.delete(requestId)
    if (intent === 'cancel') request?.cancel()
    request?.close()
  }

  /** Nobody waits to hear of it: the client has closed its stream. */
  #settle(cancelled: Promise<void>): void {
    cancelled.catch((error: unknown) => this.#ports.log.warn('ai_sdk.cancel_failed', { error }))
  }

  #refuse(error: HeldlineError, isOpen: () => boolean, end: (last: object) => void): void {
    if (error.code === 'internal') this.#ports.log.error('ai_sdk.request_failed', { error })
    if (!isOpen()) return
    const { retryable } = errorRow(error.code)
    const mayResume = retryable || error.code === 'internal'
    if (mayResume) return this.#line.close(error.code === 'draining' ? 1012 : 1013, error.code)
    end({ type: 'error', errorText: error.message })
  }

  #send(frame: object): void {
    this.#outbox.send(JSON.stringify(frame))
  }
}

function requestOf({ trigger, messages, messageId, body }: SendFrame) {
  return { trigger, messages, ...(messageId !== undefined && { messageId }), extra: body }
}
