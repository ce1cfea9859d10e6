import type { Part } from '../messages.ts'
import { textOf } from './piece.ts'
import type { UiMessageChunk } from './ui-message.ts'
import { toolWords } from './ui-tool.ts'
import type { UiUnit, UnitWords } from './ui-units.ts'

/** The words for what is neither text nor a step, which a page may load where it comes to that. */
export function moreWords({ type }: Part): UnitWords {
  return type === 'tool' ? toolWords : wholeWords
}

/** What comes whole. Data may be replaced where it has an id; the rest never changes. The part is the chunk. */
const wholeWords: UnitWords = {
  shown: chunkOf,
  begin: (unit) => [chunkOf(unit)],
  advance: (before, unit) => {
    const told = chunkOf(before)
    const now = chunkOf(unit)
    if (JSON.stringify(told) === JSON.stringify(now)) return []
    const isReplaced = isData(unit.type) && before.type === unit.type && told['id'] === now['id']
    return isReplaced && now['id'] !== undefined ? [now] : null
  },
}

function isData(type: string): boolean {
  return type.startsWith('data-')
}

function chunkOf({ part }: UiUnit): UiMessageChunk {
  return isData(part.type) ? dataChunk(part) : wholeChunk(part)
}

function dataChunk({ type, id, ...part }: Part): UiMessageChunk {
  const given = textOf(part, 'dataId')
  const named = id?.startsWith(`${type}-`) === true ? id.slice(type.length + 1) : undefined
  return { type, id: given ?? named, data: part['data'] ?? null }
}

/** What the AI SDK has no word for is data to it. */
function wholeChunk({ type, id, ...fields }: Part): UiMessageChunk {
  switch (type) {
    case 'file': {
      const { reasoning, ...file } = fields
      const named = reasoning === true ? 'reasoning-file' : type
      const url = textOf(file, 'url') ?? ''
      return { ...file, type: named, url, mediaType: textOf(file, 'mediaType') ?? '' }
    }
    case 'source': {
      const named = id?.startsWith('source-') === true ? id.slice('source-'.length) : id
      const sourceId = textOf(fields, 'sourceId') ?? named ?? ''
      const isUrl = typeof fields['url'] === 'string'
      const document = {
        mediaType: textOf(fields, 'mediaType') ?? '',
        title: textOf(fields, 'title') ?? '',
      }
      return isUrl
        ? { ...fields, type: 'source-url', sourceId }
        : { ...fields, ...document, type: 'source-document', sourceId }
    }
    case 'custom':
      return { ...fields, type }
    case 'steering-message': {
      const { steering, ...rest } = fields
      return { ...rest, type, id: typeof steering === 'string' ? steering : (id ?? '') }
    }
  }
  return { type: `data-${type}`, id, data: fields }
}
