import type { Ending } from '../../../src/core/transitions/run-end.ts'
import type { SimNode } from '../../support/sim-node.ts'
import { drafted, grant, SESSION } from '../world.ts'

/** What an act is about: few names, so that acts meet. */
export interface About {
  readonly run: string
  readonly name: string
  readonly number: number
  /** Who does it. */
  readonly subject: string
}

type Do = (node: SimNode, about: About) => Promise<unknown>

const session = SESSION
const heldBy = ({ run, number, subject }: About) => ({
  session,
  by: { subject },
  claim: { run, epoch: number },
})
const append =
  (type: string, data: (about: About) => object): Do =>
  (node, about) => {
    const drafts = [drafted(type, data(about))]
    return node.sessions.append({ session, drafts, by: { subject: about.subject } })
  }
const write =
  (type: string, data: (about: About) => object): Do =>
  (node, about) =>
    node.runs.append({ ...heldBy(about), drafts: [drafted(type, data(about))] })
const finish =
  (ending: (about: About) => Exclude<Ending, { status: 'cancelled' }>): Do =>
  (node, about) =>
    node.runs.finish(heldBy(about), ending(about))
const send =
  (mode: 'queue' | 'steer' | 'interrupt'): Do =>
  (node, { run, name, number, subject }) =>
    node.inputs.receive({
      session,
      input: `i-${name}${number}`,
      mode,
      ...(number === 1 && { run }),
      rawParts: number === 2 ? null : `[{"type":"text","text":"${name}"}]`,
      rawData: '{"n":1}',
      ...(number === 3 && { expiresInMs: 2000 }),
      by: { subject },
    })
const set =
  (over: boolean): Do =>
  (node, { name, number, subject }) => {
    const request = { session, key: name, condition: over ? number : null, by: { subject } }
    return node.state.set(request, JSON.stringify({ [name]: number }))
  }

/** Everything that people and agents do in a session. Whether it is allowed where it comes is the core's to say. */
export const ACTS = {
  'start a message': append('message.started', ({ name }) => ({ message: name, role: 'user' })),
  'add to a message': append('message.delta', ({ name }) => ({ message: name, text: `${name} ` })),
  'complete a message': append('message.completed', ({ name }) => ({ message: name })),
  'say a message': append('message.completed', ({ name, number }) => ({
    message: `${name}-${number}`,
    role: 'user',
    parts: [{ type: 'text', text: name }],
  })),
  note: append('x.note', ({ number }) => ({ number })),
  start: (node, { run, name, number, subject }) =>
    node.runs.start({
      session,
      by: { subject },
      run,
      agent: subject,
      leaseMs: 5000,
      ...(number === 1 && { trigger: `i-${name}1` }),
      ...(number === 2 && { deliverTo: ['ada'] }),
    }),
  adopt: (node, { run, subject }) => node.runs.adopt({ session, run, by: { subject } }),
  'begin to answer': write('message.started', ({ run, name }) => ({
    message: `${run}-${name}`,
    role: 'assistant',
  })),
  answer: write('message.delta', ({ run, name }) => ({ message: `${run}-${name}`, text: name })),
  'end an answer': write('message.completed', ({ run, name }) => ({ message: `${run}-${name}` })),
  report: (node, about) =>
    node.runs.report(heldBy(about), { step: about.name, rawCheckpoint: '{"at":1}' }),
  beat: (node, about) => node.runs.heartbeat(heldBy(about)),
  suspend: (node, about) => node.runs.suspend(heldBy(about)),
  resume: (node, about) => node.runs.resume(heldBy(about)),
  finish: finish(() => ({ status: 'finished' })),
  fail: finish(({ name }) => ({ status: 'failed', error: { message: name } })),
  cancel: (node, { run, name, subject }) =>
    node.runs.cancel({ session, run, by: { subject }, reason: name }),
  queue: send('queue'),
  steer: send('steer'),
  interrupt: send('interrupt'),
  deliver: (node, about) =>
    node.inputs.deliver({ ...heldBy(about), input: `i-${about.name}${about.number}` }),
  'cancel an input': (node, { name, number, subject }) =>
    node.inputs.cancel({ session, input: `i-${name}${number}`, by: { subject } }),
  ask: (node, about) =>
    node.questions.ask({
      session,
      question: `q-${about.name}`,
      claim: about.number === 3 ? null : heldBy(about).claim,
      prompt: 'Sure?',
      rawSchema: null,
      rawData: null,
      by: { subject: about.subject },
    }),
  'answer a question': (node, { name, number, subject }) =>
    node.questions.answer({
      session,
      question: `q-${name}`,
      rawAnswer: String(number),
      by: { subject },
    }),
  set: set(false),
  'set over a version': set(true),
  patch: (node, { name, number, subject }) =>
    node.state.patch(
      { session, key: name, condition: null, by: { subject } },
      { kind: 'merge', patch: { number } },
    ),
  unset: (node, { name, subject }) =>
    node.state.remove({
      session,
      key: name,
      condition: null,
      by: { subject },
    }),
  reserve: (node, about) => node.effects.reserve({ ...heldBy(about), key: about.name }),
  'record an effect': (node, about) =>
    node.effects.record({ ...heldBy(about), effect: about.name, result: null }),
  'take control': (node, { subject, number }) =>
    node.control.take(session, grant({ subject }), { force: number === 1 }),
  'release control': (node, { subject }) => node.control.release(session, grant({ subject })),
} as const satisfies Readonly<Record<string, Do>>

export type Act = keyof typeof ACTS
