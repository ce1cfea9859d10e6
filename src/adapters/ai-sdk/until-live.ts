import type { ClientError } from '../../client/client-error.ts'
import type { Session } from '../../client/session.ts'

/**
 * Hears of a session, and comes back where whoever else used it has left it.
 * @param failed what attaching is refused with
 * @returns what ends it
 */
export function follow(
  session: Session,
  changed: () => void,
  failed?: (error: ClientError) => void,
): () => void {
  const off = [
    session.on('change', changed),
    session.on('state', (state) => {
      if (state === 'detached') session.attach()
      else if (state === 'live') changed()
    }),
    session.on('error', (error) => session.state === 'failed' && failed?.(error)),
  ]
  return () => off.forEach((stop) => stop())
}

/**
 * Resolves when there is a view, which may be that of before a connection was lost; or when the signal fires.
 * @throws ClientError what attaching is refused with
 */
export async function untilLive(session: Session, signal?: AbortSignal): Promise<void> {
  session.attach()
  let off: (() => void) | undefined
  const live = new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (session.state === 'live') resolve()
    }
    off = follow(session, look, reject)
    signal?.addEventListener('abort', () => resolve())
    look()
  })
  return live.finally(off)
}
