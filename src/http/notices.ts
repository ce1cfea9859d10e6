import { noticesAnswer } from '../protocol/http-notices.ts'
import { json } from './answer.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'

/** Whether the webhook knows what waits, and who is there. [P-17.4] */
export function noticeRoutes({ notices }: Pick<HttpPorts, 'notices'>): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/sessions/{session}/notices',
      summary: 'List what the webhook was told of, or could not be told',
      description:
        'Of each input that waits and was sent at least once, and the latest of who is there.',
      answers: { 200: { about: 'They are listed.', schema: noticesAnswer } },
      handle: async (call) => json({ notices: await notices.list(call.session) }),
    },
  ]
}
