import type { Answer } from './answer.ts'
import { docsPage } from './docs-page.ts'
import { openapiDocument, type OpenApi } from './openapi-document.ts'
import type { Route } from './route.ts'
import { jsonText } from './answer.ts'

/** The description of every route, for machines and for people. Both are made once, when they are first asked for. */
export function openapiRoutes(others: readonly Route[]): readonly Route[] {
  let document: OpenApi | null = null
  let text: string | null = null
  let page: Answer | null = null
  const described = (): OpenApi => (document ??= openapiDocument([...others, ...own]))
  const own: readonly Route[] = [
    {
      method: 'GET',
      path: '/openapi.json',
      summary: 'This description',
      answers: { 200: { about: 'OpenAPI 3.1.' } },
      handle: () => jsonText((text ??= JSON.stringify(described()))),
    },
    {
      method: 'GET',
      path: '/docs',
      summary: 'This description, as a page',
      answers: { 200: { about: 'A page without scripts.', type: 'text/html' } },
      handle: () => (page ??= docsPage(described())),
    },
  ]
  return own
}
