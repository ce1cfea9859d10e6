import type { Session } from '../../client/session.ts'

/**
 * Resolves when there is a view, which may be that of before a connection was lost; or when the signal fires.
 * @throws ClientError what attaching is refused with
 */
export async function untilLive(session: Session, signal?: AbortSignal): Promise<void> {
  session.attach()
  if (session.state === 'live') return
  let off: (() => void)[] = []
  const live = new Promise<void>((resolve, reject) => {
    off = [
      session.on('state', (state) => state === 'live' && resolve()),
      session.on('error', (error) => session.state === 'failed' && reject(error)),
    ]
    signal?.addEventListener('abort', () => resolve())
  })
  return live.finally(() => off.forEach((stop) => stop()))
}
