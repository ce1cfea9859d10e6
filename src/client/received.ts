import type { WireEvent } from '../protocol/event.ts'
import type { Message } from '../protocol/fold/message.ts'
import type { ViewRest } from '../protocol/fold/view.ts'
import type { DownFrameOf, DownType } from '../protocol/frames-down.ts'

/** What the schemas of the frames leave open and the fold needs: the guard looks into it. */
interface Folded {
  readonly events: { readonly events: readonly WireEvent[] }
  readonly snapshot: { readonly messages: readonly Message[]; readonly rest?: ViewRest | undefined }
}

type Frames = {
  [K in DownType]: K extends keyof Folded
    ? Omit<DownFrameOf<K>, keyof Folded[K]> & Folded[K]
    : DownFrameOf<K>
}

/** A frame of the server that has passed the guard. */
export type Received = Frames[DownType]
export type ReceivedOf<K extends DownType> = Frames[K]
