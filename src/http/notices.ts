import { noticeAnswer, noticesAnswer } from '../protocol/http-notices.ts'
import { json } from './answer.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'

const ALL = '/v1/sessions/{session}/notices'

/** Whether the webhook knows what waits, and who is there. [P-17.4] [P-17.5] */
export function noticeRoutes({ notices }: Pick<HttpPorts, 'notices'>): readonly Route[] {
  return [
    {
      method: 'GET',
      path: ALL,
      summary: 'List what the webhook was told of, or could not be told',
      description:
        'Of each input that waits and was sent at least once, and the latest of who is there.',
      answers: { 200: { about: 'They are listed.', schema: noticesAnswer } },
      handle: async (call) => json({ notices: await notices.list(call.session) }),
    },
    {
      method: 'POST',
      path: `${ALL}/{notice}/replay`,
      summary: 'Send a failed notice again',
      description: 'From the first try on, at once.',
      answers: { 202: { about: 'It is pending, and due.', schema: noticeAnswer } },
      errors: ['notice_not_found', 'notice_closed'],
      handle: async (call) => json(await notices.replay(call.session, call.id('notice')), 202),
    },
  ]
}
