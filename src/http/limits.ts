/** The bounds of the HTTP control plane, each with the reason for its default. */
export interface HttpLimits {
  /** A body that is one request of control. */
  readonly bodyBytes: number
  /** A body of up to 1,000 events. */
  readonly appendBytes: number
  /** A body that is not complete by then is refused; never later than 5 s after it. */
  readonly bodyMs: number
  /** Headers that are not complete by then are refused. */
  readonly headersMs: number
  /** How often sockets are looked at for the two above. */
  readonly lookMs: number
  /** Beyond the idle time of the usual balancers (60 s), so that it is they who close. */
  readonly keepAliveMs: number
  readonly headerBytes: number
  readonly headerCount: number
  /** Requests that one socket may have sent ahead of their answers. */
  readonly pipelined: number
  /** Requests of one socket, so that balancers spread long-lived clients again. */
  readonly requestsPerSocket: number
  /** SSE readers and NDJSON appends of this node together. */
  readonly streams: number
  /** What still comes of a refused body is read and thrown away for so long, so that the refusal reaches its reader. */
  readonly lingerMs: number
  /** A long poll waits at most so long. */
  readonly waitMs: number
  readonly eventsPage: number
  readonly messagesPage: number
  readonly sessionsPage: number
  /** The text of a page, at least one item. */
  readonly pageBytes: number
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  bodyBytes: 128 * 1024,
  appendBytes: 1024 * 1024,
  bodyMs: 15_000,
  headersMs: 10_000,
  lookMs: 2000,
  keepAliveMs: 72_000,
  headerBytes: 8192,
  headerCount: 100,
  pipelined: 100,
  requestsPerSocket: 1000,
  streams: 10_000,
  lingerMs: 1000,
  waitMs: 30_000,
  eventsPage: 1000,
  messagesPage: 200,
  sessionsPage: 200,
  pageBytes: 1024 * 1024,
}
