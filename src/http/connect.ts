import { HeldlineError } from '../protocol/errors.ts'
import type { Route } from './route.ts'

/** Where sockets are opened: a plain request is told how. The gateway takes the upgrades themselves, before they come here. [P-4.1] */
export function connectRoutes(): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/connect',
      summary: 'Open a WebSocket',
      description:
        'With `Upgrade: websocket` and the subprotocol `heldline.v1`; the frames are those of PROTOCOL.md. A plain request is refused.',
      quiet: true,
      answers: { 101: { about: 'The socket is open.' } },
      errors: ['upgrade_required'],
      handle: () => {
        throw new HeldlineError('upgrade_required', 'unable to answer; this path opens WebSockets')
      },
    },
  ]
}
