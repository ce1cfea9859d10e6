import type { Session } from '../../client/session.ts'

/**
 * Resolves when there is a view, which may be that of before a connection was lost; with `false` where nobody waits for it any more.
 * @throws ClientError what attaching is refused with
 */
export async function untilLive(session: Session, signal?: AbortSignal): Promise<boolean> {
  session.attach()
  if (session.state === 'live') return true
  let off: (() => void)[] = []
  const live = new Promise<boolean>((resolve, reject) => {
    off = [
      session.on('state', (state) => state === 'live' && resolve(true)),
      session.on('error', (error) => session.state === 'failed' && reject(error)),
    ]
    signal?.addEventListener('abort', () => resolve(false))
  })
  return live.finally(() => off.forEach((stop) => stop()))
}
