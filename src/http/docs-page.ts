import { createHash } from 'node:crypto'
import { ERRORS, errorRow, type ErrorCode } from '../protocol/errors.ts'
import type { Answer } from './answer.ts'
import type { OpenApi, Operation } from './openapi-document.ts'

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d8dbe0, #3a3f47); --soft: light-dark(#f4f5f7, #1d2025); }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 62rem; margin: 2.5rem auto; padding: 0 1.25rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
section { border: 1px solid var(--line); border-radius: .5rem; padding: .25rem 1.25rem 1rem; margin: 1.25rem 0; }
code, pre { font: 14px/1.45 ui-monospace, monospace; background: var(--soft); border-radius: .25rem; padding: .1rem .3rem; }
pre { padding: .75rem; overflow: auto; max-height: 24rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); }
details { margin: .5rem 0; } summary { cursor: pointer; } .method { font-weight: 700; }
:target { outline: 2px solid currentColor; outline-offset: 2px; }
`

const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The description as a page: no script, nothing from elsewhere. */
export function docsPage(document: OpenApi): Answer {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationHtml(method, path, operation)),
  )
  const body = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${text(document.info.title)}: HTTP</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${STYLE}</style></head><body>
<h1>${text(document.info.title)}</h1><p>${text(document.info.description)} For machines: <a href="/openapi.json">/openapi.json</a>. Every refusal is a problem (RFC 9457) with one of the <a href="#errors">codes</a> below.</p>
<h2>Requests</h2>${operations.join('')}
<h2 id="errors">Errors</h2><table><tr><th>Code</th><th>Status</th><th>What it means, and what to do</th></tr>${errorRows()}</table>
</body></html>`
  return {
    status: 200,
    body,
    headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY },
  }
}

function operationHtml(method: string, path: string, operation: Operation): string {
  const parameters = operation.parameters
    .map(
      (one) =>
        `<tr><td><code>${text(one.name)}</code></td><td>${one.in}</td><td>${prose(one.description)}</td></tr>`,
    )
    .join('')
  const responses = Object.entries(operation.responses)
    .map(([status, { description }]) => `<tr><td>${status}</td><td>${prose(description)}</td></tr>`)
    .join('')
  return `<section id="${text(operation.operationId)}"><h3><span class="method">${method.toUpperCase()}</span> <code>${text(path)}</code></h3>
<p>${text(operation.summary)}.</p>${prose(operation.description ?? '')}
${parameters === '' ? '' : `<table>${parameters}</table>`}
${schemas('Body', operation.requestBody?.content)}${schemas('Answer', operation.responses['200']?.content ?? operation.responses['201']?.content)}
<details><summary>Answers</summary><table>${responses}</table></details></section>`
}

function schemas(
  title: string,
  content: Readonly<Record<string, { readonly schema: unknown }>> | undefined,
): string {
  return Object.entries(content ?? {})
    .map(
      ([type, { schema }]) =>
        `<details><summary>${title}: <code>${text(type)}</code></summary><pre>${text(JSON.stringify(schema, null, 2))}</pre></details>`,
    )
    .join('')
}

function errorRows(): string {
  // The table's own keys.
  return (Object.keys(ERRORS) as ErrorCode[])
    .map((code) => {
      const { status, title, next, retryable } = errorRow(code)
      const again = retryable ? ' May succeed later, unchanged.' : ''
      return `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${text(title)}. ${text(next)}${again}</td></tr>`
    })
    .join('')
}

/** Paragraphs, with code and strong words as the descriptions mark them. */
function prose(markdown: string): string {
  return markdown
    .split('\n\n')
    .filter((paragraph) => paragraph !== '')
    .map((paragraph) => {
      const html = text(paragraph)
        .replaceAll(/`([^`]+)`/g, '<code>$1</code>')
        .replaceAll(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
      return `<p>${html}</p>`
    })
    .join('')
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

function text(raw: string): string {
  return raw.replaceAll(/[&<>"]/g, (character) => ESCAPES[character] ?? '')
}
