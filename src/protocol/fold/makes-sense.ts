import { isObject, list, nullable, optional, shape, string, type Check } from '../shape.ts'

/** What is needed of a member, in events and in a view. */
export const member = shape('member subject kind connected! visible! status~ data%~')

const part = shape('type id~ text~')
const parts = list(part)
const parent = optional(nullable(string))
const content = { parent, parts: optional(parts) }
const added = shape('message', { add: part })
const extended = shape('message text part~ type~')
/** One that is resumed may begin anew, where the view knows nothing of it any more. */
const begun = shape('run epoch# agent~ trigger~ metadata%~')

/** What the data of every event of a noun must be like, and that of a type where it is more. */
const SHAPES: Readonly<Record<string, Check>> = {
  session: shape('metadata%~'),
  'session.updated': shape('metadata%'),
  'message.started': shape('message role metadata%~', content),
  'message.delta': (data) => (isObject(data) && 'add' in data ? added(data) : extended(data)),
  'message.completed': shape('message role~ status~ metadata%~', content),
  'message.replaced': shape('message metadata%~', { parts }),
  'message.deleted': shape('message reason~'),
  'member.entered': member,
  'member.updated': member,
  'member.left': shape('member'),
  run: shape('run'),
  'run.started': begun,
  'run.status': shape('run status step~ detail~'),
  'run.resumed': begun,
  'run.failed': shape('run', { error: shape('message code~') }),
  input: shape('input'),
  'input.received': shape('input mode run~ message~ expiresAt#~', { parent }),
  'question.asked': shape('question run~ prompt schema%~ expiresAt#~'),
  'question.answered': shape('question outcome'),
  'state.set': shape('key version#', { value: (value) => value !== undefined }),
  'state.deleted': shape('key version#'),
  'effect.reserved': shape('effect run tool~'),
  'effect.unknown': shape('effect run'),
  'effect.done': shape('effect'),
  'effect.retried': shape('effect run'),
  control: shape('subject'),
  'control.taken': shape('subject kind member~'),
  delivery: shape('delivery'),
  'delivery.pending': shape('delivery run to'),
}

const SHAPE_OF = new Map(Object.entries(SHAPES))

/**
 * Whether the fold can read the data of an event. What is appended is judged by its schema; this is for what was not written by
 * this version, or not by us: it changes nothing. [P-3.1]
 */
export function makesSense(noun: string, { type, data }: { type: string; data: unknown }): boolean {
  return (SHAPE_OF.get(type) ?? SHAPE_OF.get(noun))?.(data) ?? false
}
