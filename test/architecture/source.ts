/**
 * Reads what a TypeScript source imports and which names it uses, from its tokens: a comment, a
 * string or a template that merely looks like an import is none. It throws on text it cannot read,
 * because a checker that skips what it does not understand checks nothing.
 */

export interface Token {
  readonly kind: 'word' | 'string' | 'punctuation' | 'number' | 'regex'
  readonly text: string
  readonly line: number
}

export interface Import {
  /** What stands between the quotes; undefined where the name is computed. */
  readonly specifier: string | undefined
  readonly line: number
  /** `export … from`: the file passes on another's names. */
  readonly reexport: boolean
}

const space = /\s+/y
const lineComment = /\/\/[^\n]*/y
const blockComment = /\/\*[^]*?\*\//y
const word = /#?[\p{ID_Start}$_][\p{ID_Continue}$]*/uy
const number = /\.?\d[\w.]*/y
const text = /'(?:[^'\\\n]|\\[^])*'|"(?:[^"\\\n]|\\[^])*"/y
const regex = /\/(?![*/])(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y
const templatePart = /(?:[^`\\$]|\\[^]|\$(?!\{))*/y
const punctuation = /\.\.\.|\?\.(?!\d)|=>|\+\+|--|[^]/y
const beforeRegex = new Set(
  'return typeof case in of delete void throw new do else await yield instanceof'.split(' '),
)

export function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = []
  // One entry per template that is open, with the depth of braces inside its substitution.
  const templates: number[] = []
  let at = 0
  let line = 1

  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const match = pattern.exec(source)?.[0]
    if (match === undefined) return undefined
    at += match.length
    return match
  }
  const push = (kind: Token['kind'], value: string): void => {
    tokens.push({ kind, text: value, line })
  }
  const fail = (what: string): never => {
    throw new Error(`unable to read line ${line}; ${what}`)
  }
  /** Reads on in a template, to its end or into its next substitution. */
  const template = (opening: boolean): void => {
    const started = line
    const part = take(templatePart) ?? ''
    line += newlines(part)
    if (source[at] === '`') {
      at += 1
      if (opening) tokens.push({ kind: 'string', text: part, line: started })
    } else if (source.startsWith('${', at)) {
      at += 2
      templates.push(0)
      push('punctuation', '${')
    } else fail('a template never ends')
  }

  while (at < source.length) {
    const skipped = take(space) ?? take(lineComment) ?? take(blockComment)
    if (skipped !== undefined) {
      line += newlines(skipped)
      continue
    }
    const character = source[at] ?? ''
    const previous = tokens.at(-1)
    if (character === '`') {
      at += 1
      template(true)
    } else if (character === "'" || character === '"') {
      const quoted = take(text) ?? fail('a string never ends')
      push('string', quoted.slice(1, -1))
      line += newlines(quoted)
    } else if (character === '/' && regexMayFollow(previous)) {
      push('regex', take(regex) ?? fail('a comment or regular expression never ends'))
    } else {
      const name = take(word)
      const digits = name === undefined ? take(number) : undefined
      if (name !== undefined) push('word', name)
      else if (digits !== undefined) push('number', digits)
      else {
        const mark = take(punctuation) ?? fail('there is nothing to read')
        const depth = templates.at(-1)
        if (mark === '}' && depth === 0) {
          templates.pop()
          push('punctuation', '}')
          template(false)
          continue
        }
        if (depth !== undefined && mark === '{') templates[templates.length - 1] = depth + 1
        if (depth !== undefined && mark === '}') templates[templates.length - 1] = depth - 1
        push('punctuation', mark)
      }
    }
  }
  if (templates.length > 0) fail('a template never ends')
  return tokens
}

/** Every module the source names: static, type-only, dynamic, re-exported or required. */
export function importsOf(tokens: readonly Token[]): readonly Import[] {
  const found: Import[] = []
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'word' || isMember(tokens, index)) continue
    const next = tokens[index + 1]
    if (token.text === 'import' || token.text === 'require') {
      if (next?.text === '(' && next.kind === 'punctuation') {
        const argument = tokens[index + 2]
        const closes = tokens[index + 3]?.text
        const named = argument?.kind === 'string' && (closes === ')' || closes === ',')
        found.push({
          specifier: named ? argument.text : undefined,
          line: token.line,
          reexport: false,
        })
        continue
      }
    }
    if (token.text !== 'import' && token.text !== 'export') continue
    const specifier =
      token.text === 'import' && next?.kind === 'string'
        ? next.text
        : afterClause(tokens, index + 1)
    if (specifier === undefined) continue
    found.push({ specifier, line: token.line, reexport: token.text === 'export' })
  }
  return found
}

/** Whether the word at `index` is a property of something, or a key, and so no name of its own. */
export function isMember(tokens: readonly Token[], index: number): boolean {
  const before = tokens[index - 1]
  if (before?.text === '.' || before?.text === '?.') return true
  const after = tokens[index + 1]?.text
  const optional = after === '?' && tokens[index + 2]?.text === ':'
  return (after === ':' || optional) && ['{', ',', ';', 'readonly'].includes(before?.text ?? ';')
}

/** Follows `{ a, type b as c }`, `* as a` or `a, { b }` to `from '…'`. */
function afterClause(tokens: readonly Token[], start: number): string | undefined {
  for (let index = start; index < tokens.length; index += 1) {
    const token = tokens[index]
    const next = tokens[index + 1]
    if (token?.kind === 'word' && token.text === 'from' && next?.kind === 'string') return next.text
    const inClause =
      token !== undefined &&
      (token.kind === 'string' ||
        (token.kind === 'word' && !declares.has(token.text)) ||
        ['{', '}', ',', '*'].includes(token.text))
    if (!inClause) return undefined
    // `export { a }` ends here unless `from` follows.
    if (token.text === '}' && next?.text !== 'from') return undefined
  }
  return undefined
}

const declares = new Set(
  'const let var function class interface enum namespace default async abstract declare'.split(' '),
)

function regexMayFollow(previous: Token | undefined): boolean {
  if (previous === undefined) return true
  if (previous.kind === 'word') return beforeRegex.has(previous.text)
  return previous.kind === 'punctuation' && ![')', ']', '}', '++', '--'].includes(previous.text)
}

function newlines(passage: string): number {
  return passage.split('\n').length - 1
}
