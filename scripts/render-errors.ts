import { ERRORS, errorRow, type ErrorCode } from '../src/protocol/errors.ts'

/** The page of all errors: the table as people read it. */
export function renderErrors(): string {
  // The keys of the table are its codes.
  const codes = Object.keys(ERRORS) as ErrorCode[]
  return [
    '# Errors',
    '',
    'Every refusal, over HTTP (`application/problem+json`) and over a socket (an `error` frame), carries one of these codes. Codes are',
    'stable. *Retry* says whether the same request may succeed later, unchanged; retry with the same ids. *Close* is the close code where the error ends',
    'a socket. Rendered from `src/protocol/errors.ts` by `node scripts/render-docs.ts`.',
    '',
    '| code | status | close | retry | what happened | what to do |',
    '|---|---|---|---|---|---|',
    ...codes.map(line),
    '',
  ].join('\n')
}

function line(code: ErrorCode): string {
  const { status, close, retryable, title, next } = errorRow(code)
  const cells = [`\`${code}\``, status, close ?? '', retryable ? 'yes' : 'no', `${title}.`, next]
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`
}
