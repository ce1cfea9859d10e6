import type { WireEvent } from '../event.ts'
import type { View } from './view.ts'

/** The data makes sense, so the casts here only name its shape. */
export function foldSession(view: View, event: WireEvent): void {
  switch (event.type) {
    case 'session.created':
      view.createdAt = event.at
      view.metadata = (event.data as { metadata?: Record<string, unknown> }).metadata ?? {}
      return
    case 'session.updated':
      view.metadata = (event.data as { metadata: Record<string, unknown> }).metadata
      return
    case 'session.closed':
      view.closedAt = event.at
  }
}
