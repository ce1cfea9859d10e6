import type { By } from '../protocol/event.ts'
import type {
  AttachFrame,
  BeatFrame,
  PresenceFrame,
  PublishFrame,
  ReadFrame,
  SignalFrame,
  UpFrame,
} from '../protocol/frames-up.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { parseSessionId, type MemberId, type SessionId } from '../protocol/ids.ts'
import { formatPosition, parsePosition, type Position } from '../protocol/position.ts'
import { demand } from './access.ts'
import { demandAppend } from './append-rights.ts'
import { Attachment } from './attachment.ts'
import type { Connection, Hold } from './connection.ts'
import { errorFrame } from './error-frame.ts'
import { frame } from './frame.ts'
import { countAppend } from './metrics.ts'
import { draft } from './new-event.ts'
import { PublishQueue } from './publish-queue.ts'
import { signalText } from './signal-text.ts'
import type { Appended } from './transitions/append.ts'
import type { FrameTexts } from './up-frame.ts'

/**
 * Does what a frame asks for, and answers it.
 * @throws HeldlineError what could not be done, for the frame's ref
 */
export async function handleFrame(
  connection: Connection,
  content: UpFrame,
  texts: FrameTexts,
): Promise<void> {
  if (content.op === 'auth') {
    const grant = await connection.authenticate(content.token)
    if (!connection.closed) connection.admit(grant, content.ref)
    return
  }
  // Touches the grant, so that nothing is done for a token that is over.
  void connection.grant
  switch (content.op) {
    case 'ping':
      return connection.send(frame({ type: 'pong', ref: content.ref }))
    case 'attach':
      return attach(connection, content)
    case 'detach':
      return detach(connection, content)
    case 'publish':
      return publish(connection, content, texts)
    case 'signal':
      return signal(connection, content, texts)
    case 'read':
      return read(connection, content)
    case 'presence':
      return presence(connection, content)
    case 'beat':
      return beat(connection, content)
  }
}

async function attach(connection: Connection, content: AttachFrame): Promise<void> {
  const { ports, holds } = connection
  const session = sessionOf(content.session)
  demand(connection.grant, 'subscribe', session)
  const position = positionOf(content.position)
  connection.attaching(position)
  const before = holds.get(session)
  if (before === undefined && holds.size >= ports.limits.maxSessionsPerSocket) {
    throw new HeldlineError(
      'subscription_limit',
      `unable to attach; the socket has ${holds.size} sessions`,
      {
        facts: { maxSessions: ports.limits.maxSessionsPerSocket },
      },
    )
  }
  before?.attachment.close()
  const attachment = new Attachment(session, ports, connection)
  const hold: Hold = { attachment, publishes: before?.publishes ?? new PublishQueue() }
  holds.set(session, hold)
  try {
    const member = content.presence && (await enter(connection, session, content.presence))
    const opened = await attachment.open(
      { position, catchup: content.catchup ?? 'auto' },
      (mode, head) => {
        const answer = { session, mode, head: formatPosition(head), ref: content.ref }
        connection.send(
          frame({ type: 'attached', ...answer, ...(member !== undefined && { member }) }),
        )
      },
    )
    // Detached, or attached again, in the meantime: no mistake, but every frame has its answer.
    if (!opened) connection.send(errorFrame(notAttached('attach'), content.ref))
  } catch (error) {
    attachment.close()
    if (holds.get(session) === hold) holds.delete(session)
    throw error
  }
}

async function detach(
  connection: Connection,
  content: { session: string; ref: string },
): Promise<void> {
  const session = sessionOf(content.session)
  connection.holds.get(session)?.attachment.close()
  connection.holds.delete(session)
  const member = connection.members.get(session)
  connection.members.delete(session)
  if (member !== undefined) {
    const by = { subject: connection.grant.subject, member }
    await connection.ports.presence.leave(session, member, by, connection.id)
  }
  connection.send(frame({ type: 'detached', ref: content.ref, session }))
}

async function publish(
  connection: Connection,
  content: PublishFrame,
  texts: FrameTexts,
): Promise<void> {
  const session = sessionOf(content.session)
  const { sessions, limits, metrics } = connection.ports
  const { grant } = connection
  const drafts = demandAppend(
    grant,
    session,
    content.events.map((event, i) => draft(event, texts.events[i] ?? [], limits.maxEventBytes)),
  )
  const by = byOf(connection, session)
  const queue = connection.holds.get(session)?.publishes ?? connection.unattached
  const append = (): Promise<Appended> => sessions.append({ session, drafts, by })
  const done = await queue.run(drafts, () => countAppend(metrics, 'websocket', drafts, append))
  connection.send(
    frame({
      type: 'ack',
      ref: content.ref,
      session,
      ...ackOf(done),
      durability: connection.ports.store.durability,
    }),
  )
}

/** The serials of an append, as the answer gives them: a range where they are one, a list where they are not. */
export function ackOf(done: Appended): {
  readonly epoch: string
  readonly first: number
  readonly last: number
  readonly serials?: (number | null)[]
  readonly duplicates: number
} {
  const known = done.serials.filter((serial) => serial !== null)
  const first = known[0] ?? 0
  const last = known.at(-1) ?? 0
  const range = done.serials.every((serial, index) => serial === first + index)
  return {
    epoch: done.epoch,
    first,
    last,
    ...(!range && { serials: [...done.serials] }),
    duplicates: done.duplicates,
  }
}

function signal(connection: Connection, content: SignalFrame, { members: told }: FrameTexts): void {
  const session = sessionOf(content.session)
  demand(connection.grant, 'signal', session)
  if (!connection.holds.has(session)) {
    throw notAttached('signal')
  }
  const { ports } = connection
  const by = byOf(connection, session)
  const max = ports.limits.maxSignalBytes
  ports.signals.send(session, signalText(session, content.name, by, told, max))
}

async function read(connection: Connection, content: ReadFrame): Promise<void> {
  const session = sessionOf(content.session)
  demand(connection.grant, 'subscribe', session)
  await connection.ports.sessions.markRead(session, connection.grant.subject, content.serial)
  connection.send(frame({ type: 'ok', ref: content.ref }))
}

async function beat(connection: Connection, content: BeatFrame): Promise<void> {
  const session = sessionOf(content.session)
  const { run, epoch, ref } = content
  demand(connection.grant, 'publish', session)
  const by = byOf(connection, session)
  const { live, status, inputs, leaseMs } = await connection.beaten.beat({
    session,
    claim: { run, epoch },
    by,
  })
  connection.send(frame({ type: 'ok', ref, run: { run, live, status, inputs, leaseMs } }))
}

/** Who speaks over this socket in a session. */
function byOf({ grant, members }: Connection, session: SessionId): By {
  const member = members.get(session)
  return { subject: grant.subject, ...(member !== undefined && { member }) }
}

async function presence(connection: Connection, content: PresenceFrame): Promise<void> {
  const session = sessionOf(content.session)
  if (!connection.holds.has(session)) {
    throw notAttached('be present')
  }
  const member = await enter(connection, session, content.presence)
  connection.send(frame({ type: 'ok', ref: content.ref, member }))
}

/**
 * The member is known before the store has answered, so that whatever comes meanwhile (another word of presence, a detach, the end of
 * the socket) is about the same member, and waits for its turn behind this one.
 */
async function enter(
  connection: Connection,
  session: SessionId,
  request: PresenceFrame['presence'],
): Promise<MemberId> {
  demand(connection.grant, 'presence', session)
  const { holds, members, id } = connection
  const { presence: keeper, limits } = connection.ports
  const before = members.get(session)
  // The gateway's ids of connections have the form of a member's.
  const member = before ?? ((request.member ?? id) as MemberId)
  const named = { ...request, member }
  if (JSON.stringify(named).length > limits.maxSignalBytes) {
    throw new HeldlineError(
      'payload_too_large',
      `unable to enter; presence is over ${limits.maxSignalBytes} bytes`,
    )
  }
  const visit = holds.get(session)?.publishes
  members.set(session, member)
  try {
    await keeper.enter(session, named, connection.grant, id)
  } catch (error) {
    if (before === undefined && members.get(session) === member) members.delete(session)
    throw error
  }
  if (connection.closed) await keeper.lost(session, member, id)
  else if (holds.get(session)?.publishes === visit) members.set(session, member)
  else if (members.get(session) !== member) leaveQuietly(connection, session, member)
  return member
}

/** Leaves where nobody waits for it. What fails here, the member's deadline makes good. */
export function leaveQuietly(connection: Connection, session: SessionId, member: MemberId): void {
  const { presence: keeper, log } = connection.ports
  const by = { subject: connection.subject, member }
  keeper.leave(session, member, by, connection.id).catch((error: unknown) => {
    log.info('connection.leave_failed', { session, error })
  })
}

function notAttached(verb: string): HeldlineError {
  return new HeldlineError(
    'not_attached',
    `unable to ${verb}; the socket is not attached to this session`,
  )
}

function sessionOf(text: string): SessionId {
  const session = parseSessionId(text)
  if (session === null)
    throw new HeldlineError('invalid_session_id', 'the session id does not have the form')
  return session
}

function positionOf(text: string | undefined): Position | null {
  if (text === undefined) return null
  const position = parsePosition(text)
  if (position === null)
    throw new HeldlineError(
      'invalid_position',
      'unable to attach; the position does not have the form',
    )
  return position
}
