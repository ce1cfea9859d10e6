import { describe, expect, test } from 'vitest'
import { StreamedMessage } from '../../src/http/streamed-message.ts'
import type { Draft } from '../../src/protocol/formats/draft.ts'
import { AiSdkReader } from '../../src/protocol/formats/from-ai-sdk.ts'
import { TextCutter } from '../../src/http/text-cutter.ts'

const KIB = 1024

const begin = () =>
  new StreamedMessage(
    (nextPart) => new AiSdkReader(nextPart),
    () => 'm',
  )

async function feed(message: StreamedMessage, chunk: object): Promise<readonly Draft[]> {
  return message.read(chunk, JSON.stringify(chunk).length)
}

const delta = (text: string) => ({ type: 'text-delta', id: '0', delta: text })

describe('what a stream may make the server hold is bounded [invariant 9] [P-10.13]', () => {
  test('text is not held, however much of it comes', async () => {
    const message = begin()
    const text = 'x'.repeat(8 * KIB)
    for (let n = 0; n < 3000; n++) {
      expect(await feed(message, delta(text))).toHaveLength(n === 0 ? 2 : 1)
    }
    expect(await message.end()).toMatchObject([{ type: 'message.completed' }])
  })

  test('tool calls and data are, and are too much at some point', async () => {
    const message = begin()
    const data = 'x'.repeat(50 * KIB)
    const flood = async (): Promise<void> => {
      for (let n = 0; n < 1000; n++) {
        await feed(message, { type: 'tool-output-available', toolCallId: `c${n}`, output: data })
      }
    }
    await expect(flood()).rejects.toMatchObject({
      code: 'payload_too_large',
      facts: { maxBytes: 16 * KIB * KIB },
    })
  })

  test('so are the names of parts, which are new each time', async () => {
    const message = begin()
    const flood = async (): Promise<void> => {
      for (let n = 0; n < 1000; n++) {
        await feed(message, { type: 'text-delta', id: `${n}${'x'.repeat(60 * KIB)}`, delta: 'a' })
      }
    }
    await expect(flood()).rejects.toMatchObject({ code: 'payload_too_large' })
  })

  test('a step of a long message that is tried again is emptied part by part', async () => {
    const message = begin()
    for (let n = 0; n < 200; n++) await feed(message, delta('x'.repeat(8 * KIB)))
    await feed(message, { type: 'start-step' })
    await feed(message, delta('again'))
    expect(await feed(message, { type: 'reset-step' })).toEqual([
      {
        type: 'message.delta',
        data: { message: 'm', add: { type: 'text', id: 'p2', text: '', removed: true } },
      },
    ])
    expect(await feed(message, delta('anew'))).toMatchObject([
      { data: { part: 'p3', text: 'anew' } },
    ])
  })
})

describe('text is cut in the same places, however its bytes arrive [P-10.13]', () => {
  const cut = (bytes: Buffer, size: number): string[] => {
    const cutter = new TextCutter(true)
    const pieces: string[] = []
    for (let from = 0; from < bytes.length; from += size) {
      pieces.push(...cutter.push(bytes.subarray(from, from + size)))
    }
    return [...pieces, ...cutter.end()]
  }

  test.for([
    ['two words ', ['two ', 'words ']],
    ['a\r\n\n b', ['a\r', '\n', '\n', ' ', 'b']],
    ['茶と', ['茶', 'と']],
    ['ok👀👀x', ['ok👀', '👀', 'x']],
    ['x'.repeat(70), ['x'.repeat(32), 'x'.repeat(32), 'x'.repeat(6)]],
    [`${'x'.repeat(32)} y`, ['x'.repeat(32), ' ', 'y']],
    [`${'x'.repeat(31)} y`, [`${'x'.repeat(31)} `, 'y']],
  ] as const)('%j', ([text, pieces]) => {
    const bytes = Buffer.from(text)
    for (const size of [1, 2, 3, 5, 31, 32, 33, bytes.length])
      expect(cut(bytes, size)).toEqual(pieces)
  })

  test('and is not held back where nothing asks for that', () => {
    const cutter = new TextCutter(false)
    expect([...cutter.push(Buffer.from('two wor'))]).toEqual(['two wor'])
    expect([...cutter.push(Buffer.from([0xf0, 0x9f]))]).toEqual([])
    expect([...cutter.push(Buffer.from([0x91, 0x80]))]).toEqual(['👀'])
  })
})
