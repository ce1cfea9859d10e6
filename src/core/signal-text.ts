import { HeldlineError } from '../protocol/errors.ts'
import type { By } from '../protocol/event.ts'
import type { SessionId } from '../protocol/ids.ts'
import type { Member } from '../protocol/json.ts'
import { exceedsBytes } from './bytes.ts'

/**
 * A signal as it goes to every reader: the frame itself, made once, around the caller's own bytes. [P-4.7]
 * @param members of the text that the caller sent
 * @throws HeldlineError `payload_too_large`
 */
export function signalText(
  session: SessionId,
  name: string,
  by: By,
  members: readonly Member[],
  maxSignalBytes: number,
): string {
  const raw = members.find((member) => member.key === 'data')?.raw
  if (raw !== undefined && exceedsBytes(raw, maxSignalBytes)) {
    throw new HeldlineError(
      'payload_too_large',
      `unable to signal; data is over ${maxSignalBytes} bytes`,
      { facts: { maxBytes: maxSignalBytes } },
    )
  }
  const data = raw === undefined ? '' : `,"data":${raw}`
  return `{"type":"signal","session":${JSON.stringify(session)},"name":${JSON.stringify(name)},"by":${JSON.stringify(by)}${data}}`
}
