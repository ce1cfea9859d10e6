import type { Following } from './http-transport.ts'
import { SseLines } from './sse-lines.ts'

/** Frames as server-sent events, one stream a session. Read with `fetch`, since `EventSource` sends no credentials. [P-9.5] */
export async function followBySse(following: Following): Promise<void> {
  const { http, session, position, signal } = following
  const response = await http.stream({
    path: `/v1/sessions/${encodeURIComponent(session)}/events`,
    // Some proxies pass on nothing before they have seen 2 kB.
    query: { after: position ?? undefined, catchup: following.catchup, padding: 2048 },
    accept: 'text/event-stream',
    renew: false,
    signal,
  })
  following.opened()
  const reader = response.body?.getReader()
  if (reader === undefined) return
  const decoder = new TextDecoder()
  const lines = new SseLines()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    for (const text of lines.push(decoder.decode(value, { stream: true }))) {
      const frame = http.kit.parseFrame(text)
      // Who we are and that we are attached has been said by the answer itself.
      if (frame !== null && frame.type !== 'welcome' && frame.type !== 'attached')
        following.frame(frame)
    }
  }
}
