/** What a route answers. */
export interface Answer {
  readonly status: number
  /** `null`: no body. */
  readonly body: string | null
  readonly headers?: Readonly<Record<string, string>>
}

/** The route has taken the response over and writes it itself: a stream. */
export const STREAMED = Symbol('streamed')

const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' }

export function json(content: unknown, status = 200): Answer {
  return jsonText(JSON.stringify(content), status)
}

/** Of JSON text that is made already. */
export function jsonText(body: string, status = 200): Answer {
  return { status, body, headers: JSON_TYPE }
}

export const NO_CONTENT: Answer = { status: 204, body: null }
