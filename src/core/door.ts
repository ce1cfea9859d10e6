import type { Grant } from './access.ts'

/** Another language than `heldline.v1` that is spoken over WebSockets of this server, at a path of its own. */
export interface Door {
  readonly path: string
  /** The subprotocol that is chosen where a client offers it; one that offers none gets none. */
  readonly protocol: string
  /** A frame over this closes the socket with 1009. */
  readonly maxFrameBytes: number
  /** Somebody came in, with credentials. */
  open(line: Line, grant: Grant): Visitor
}

/** The socket, as the door's side sees it. */
export interface Line {
  /** Hands a text frame over; it may wait in the socket's buffer. */
  send(text: string): void
  /** What waits in that buffer. */
  readonly bufferedBytes: number
  close(code: number, reason: string): void
}

/** Who came in, as the socket's side sees it. None of these throws. */
export interface Visitor {
  receive(text: string): void
  /** The buffer is empty again. */
  drained(): void
  /** Comes once a heartbeat. */
  beat(): void
  /** The socket is gone. */
  lost(): void
}
