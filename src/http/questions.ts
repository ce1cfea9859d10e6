import type { FastifyReply } from 'fastify'
import type { QuestionFound } from '../core/questions.ts'
import { withRaw } from '../core/raw-data.ts'
import { HeldlineError } from '../protocol/errors.ts'
import {
  answerAnswer,
  answerBody,
  askAnswer,
  askBody,
  questionAnswer,
  withdrawBody,
} from '../protocol/http-questions.ts'
import { json, jsonText, type Answer } from './answer.ts'
import type { Call } from './call.ts'
import { defined } from './defined.ts'
import type { HttpLimits } from './limits.ts'
import { waitFor, waitMsOf, waitParameter } from './long-poll.ts'
import { whole } from './parameter.ts'
import type { HttpPorts } from './ports.ts'
import { rawMembers } from './raw-member.ts'
import type { Route } from './route.ts'
import { epochOf, NOT_HELD, RUN_EPOCH } from './run-epoch.ts'
import type { Streams } from './streams.ts'

type Ports = Pick<HttpPorts, 'questions'>

const ALL = '/v1/sessions/{session}/questions'
const ONE = `${ALL}/{question}`

/** What agents ask people. [P-11.5] */
export function questionRoutes(
  ports: Ports,
  limits: HttpLimits,
  streams: Streams,
): readonly Route[] {
  return [
    {
      method: 'POST',
      path: ALL,
      summary: 'Ask people something',
      description:
        'With `run`, that run waits until no question of it is open any more. `schema` is JSON Schema (2020-12, or draft 7 where `$schema` says so); what it says of formats is not checked.',
      headers: RUN_EPOCH,
      body: { schema: askBody, required: true },
      answers: {
        200: { about: 'It was asked already.', schema: askAnswer },
        201: { about: 'It is open.', schema: askAnswer },
      },
      errors: [...NOT_HELD, 'session_closed', 'session_limit', 'idempotency_conflict'],
      handle: (call) => ask(call, ports),
    },
    {
      method: 'GET',
      path: ONE,
      summary: 'Get a question, and what became of it',
      query: { wait: waitParameter(limits, 'the question is open') },
      answers: { 200: { about: 'The question.', schema: questionAnswer } },
      errors: ['question_not_found', 'connection_limit', 'draining'],
      handle: (call, reply) => get(call, reply, ports, limits, streams),
    },
    {
      method: 'POST',
      path: `${ONE}/answer`,
      summary: 'Answer a question',
      description:
        'Once, from any device: the same subject’s same answer again changes nothing, and any other is refused.',
      body: { schema: answerBody, required: true },
      answers: { 200: { about: 'It is answered.', schema: answerAnswer } },
      errors: ['question_not_found', 'question_closed', 'answer_invalid', 'session_closed'],
      handle: (call) => answer(call, ports),
    },
    {
      method: 'POST',
      path: `${ONE}/withdraw`,
      summary: 'Say that nobody needs to answer any more',
      description: 'What is over stays as it is.',
      headers: {
        'Run-Epoch': whole(1, null, 'Where the agent of the run that asked says it: its epoch.'),
      },
      body: { schema: withdrawBody, required: false },
      answers: { 200: { about: 'What became of it.', schema: answerAnswer } },
      errors: ['question_not_found', 'run_fenced', 'run_over'],
      handle: (call) => withdraw(call, ports),
    },
  ]
}

async function ask(call: Call, { questions }: Ports): Promise<Answer> {
  const { session, by } = call
  const { run, data: _, ...body } = call.object(askBody)
  const raw = rawMembers(call.json(), 'schema', 'data')
  const { question, status, created } = await questions.ask({
    ...defined(body),
    session,
    by,
    claim: run === undefined ? null : { run, epoch: epochOf(call) },
    rawSchema: raw.schema,
    rawData: raw.data,
  })
  return json({ question, status }, created ? 201 : 200)
}

async function get(
  call: Call,
  reply: FastifyReply,
  { questions }: Ports,
  limits: HttpLimits,
  streams: Streams,
): Promise<Answer> {
  const question = call.id('question')
  const wait = waitFor(waitMsOf(call.query(), limits), call, reply, streams)
  const found = await questions.wait(call.session, question, wait)
  return jsonText(described(question, found))
}

function described(question: string, { info, closed, raw }: QuestionFound): string {
  const { print: _, schema: __, data: ___, ...told } = info
  const became = { status: closed?.outcome ?? 'open', answeredBy: closed?.by }
  return withRaw({ question, ...told, ...became }, raw)
}

async function answer(call: Call, { questions }: Ports): Promise<Answer> {
  const { session, by } = call
  const question = call.id('question')
  call.object(answerBody)
  const { answer: rawAnswer } = rawMembers(call.json(), 'answer')
  if (rawAnswer === null) {
    throw new HeldlineError('invalid_request', 'unable to answer; answer is missing')
  }
  await questions.answer({ session, question, by, rawAnswer })
  return json({ question, status: 'answered' })
}

async function withdraw(call: Call, { questions }: Ports): Promise<Answer> {
  const { session, by } = call
  const question = call.id('question')
  call.optional(withdrawBody)
  const epoch = call.header('run-epoch') === undefined ? null : epochOf(call)
  return json({ question, status: await questions.withdraw({ session, question, by, epoch }) })
}
