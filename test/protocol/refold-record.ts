import type { WireEvent } from '../../src/protocol/event.ts'
import type { Loose, PlainData, Refold } from './refold.ts'

/** How many stay of what is over. */
const KEPT = 50
const OVER = ['finished', 'failed', 'cancelled', 'lost']

/** The plain fold of runs, inputs, questions, the state, effects, control and deliveries. */
export function retake(view: Refold, event: WireEvent, data: Loose): void {
  const { type, serial, at } = event
  const [noun = ''] = type.split('.')
  if (noun === 'run') view.runs = keep(retakeRun(view.runs, event, data), isOver)
  if (type === 'input.received') {
    const { input: id, mode, run = null, message = null, data: more = null } = data
    const by = event.by.subject
    const { expiresAt = null, parent } = data
    view.inputs = put(view.inputs, {
      id,
      mode,
      run,
      message,
      ...(parent !== undefined && { parent }),
      data: more,
      expiresAt,
      by,
      at,
      serial,
    })
  }
  if (type === 'input.delivered' || type === 'input.expired') {
    view.inputs = view.inputs.filter(({ id }) => id !== data.input)
  }
  if (noun === 'question') {
    const isClosed = ({ status }: PlainData): boolean => status !== 'open'
    view.questions = keep(retakeQuestion(view.questions, event, data), isClosed)
  }
  if (type === 'state.set') {
    const { key, version, value } = data
    view.state = put(view.state, { key, version, value }, 'key')
  }
  if (type === 'state.deleted') view.state = view.state.filter(({ key }) => key !== data.key)
  if (noun === 'effect') view.effects = retakeEffect(view.effects, event, data)
  if (type === 'control.taken') view.controller = data
  if (type === 'control.released') view.controller = null
  if (noun === 'delivery') {
    const failed = ({ status }: PlainData): boolean => status === 'failed'
    view.deliveries = keep(retakeDelivery(view, event, data), failed)
  }
}

const isOver = ({ status }: PlainData): boolean => OVER.includes(String(status))

/** In the place of the one with the same id, or at the end. */
function put(all: PlainData[], one: PlainData, name = 'id'): PlainData[] {
  const there = all.some((other) => other[name] === one[name])
  return there ? all.map((other) => (other[name] === one[name] ? one : other)) : [...all, one]
}

/** Without the longest unchanged of those that may go, while there are too many. */
function keep(all: PlainData[], mayGo: (one: PlainData) => boolean): PlainData[] {
  const rest = all.filter(mayGo)
  if (rest.length <= KEPT) return all
  const oldest = rest.reduce((one, other) =>
    Number(other['serial']) < Number(one['serial']) ? other : one,
  )
  return keep(
    all.filter((one) => one !== oldest),
    mayGo,
  )
}

function retakeRun(runs: PlainData[], event: WireEvent, data: Loose): PlainData[] {
  const { at, serial } = event
  const begun: PlainData = {
    id: data.run,
    epoch: data.epoch,
    agent: data.agent ?? null,
    trigger: data.trigger ?? null,
    status: 'thinking',
    step: null,
    detail: null,
    checkpoint: null,
    output: null,
    error: null,
    metadata: data.metadata ?? {},
    by: event.by.subject,
    startedAt: at,
    updatedAt: at,
    serial,
  }
  const before = runs.find(({ id }) => id === data.run)
  if (event.type === 'run.started') return before === undefined ? [...runs, begun] : runs
  if (before === undefined) return event.type === 'run.resumed' ? [...runs, begun] : runs
  const lives = !isOver(before)
  const wasLost = before['status'] === 'lost'
  const change = (more: PlainData): PlainData[] =>
    put(runs, { ...before, ...more, updatedAt: at, serial })
  switch (event.type) {
    case 'run.resumed':
      return lives || wasLost ? change({ status: 'thinking', epoch: data.epoch }) : runs
    case 'run.cancelled':
      return lives || wasLost ? change({ status: 'cancelled' }) : runs
    case 'run.status': {
      const { run: _, ...said } = data
      return lives ? change(said) : runs
    }
    case 'run.suspended':
      return lives ? change({ status: 'waiting' }) : runs
    case 'run.finished':
      return lives ? change({ status: 'finished', output: data.output ?? null }) : runs
    case 'run.failed':
      return lives ? change({ status: 'failed', error: data.error }) : runs
    case 'run.lost':
      return lives ? change({ status: 'lost' }) : runs
    default:
      return runs
  }
}

function retakeQuestion(questions: PlainData[], event: WireEvent, data: Loose): PlainData[] {
  const { question: id, run = null, prompt, schema = null, expiresAt = null } = data
  const { at, serial } = event
  if (event.type === 'question.asked') {
    const asked = { id, run, prompt, schema, data: data.data ?? null, expiresAt, status: 'open' }
    const blank = { answer: null, answeredBy: null, askedAt: at, serial }
    return put(questions, { ...asked, ...blank })
  }
  return questions.map((one) => {
    if (one['id'] !== id || one['status'] !== 'open') return one
    const answeredBy = data.outcome === 'answered' ? event.by.subject : null
    return { ...one, status: data.outcome, answer: data.answer ?? null, answeredBy, serial }
  })
}

function retakeEffect(effects: PlainData[], event: WireEvent, data: Loose): PlainData[] {
  const { effect: id, run } = data
  const { at, serial } = event
  const before = effects.find((one) => one['id'] === id)
  if (event.type === 'effect.done' || event.type === 'effect.retried') {
    return effects.filter((one) => one !== before)
  }
  const status = event.type === 'effect.unknown' ? 'unknown' : 'reserved'
  const tool = (status === 'unknown' ? before?.['tool'] : data.tool) ?? null
  return put(effects, { id, run, tool, status, at, serial })
}

function retakeDelivery(view: Refold, event: WireEvent, data: Loose): PlainData[] {
  const { delivery: id, run, to } = data
  const before = view.deliveries.find((one) => one['id'] === id)
  switch (event.type) {
    case 'delivery.pending': {
      const result = view.runs.find((one) => one['id'] === run)
      const serial = before?.['serial'] ?? result?.['serial'] ?? event.serial
      const at = before?.['at'] ?? event.at
      return put(view.deliveries, { id, run, to, status: 'pending', serial, at })
    }
    case 'delivery.failed':
      return view.deliveries.map((one) => (one === before ? { ...one, status: 'failed' } : one))
    default:
      return view.deliveries.filter((one) => one !== before)
  }
}
