/** The WebSocket subprotocol and the version that every clause of PROTOCOL.md belongs to. */
export const PROTOCOL = 'heldline.v1'

/** Prefix of the second offered subprotocol that carries a token: `heldline.auth.<base64url(token)>`. */
export const AUTH_PROTOCOL_PREFIX = 'heldline.auth.'
