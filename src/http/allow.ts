import { RIGHTS } from './rights.ts'
import { nameOf, type Route } from './route.ts'

/** Which methods a path takes: for 405, and for OPTIONS. Asked only where no route was found, so it may look at all of them. */
export function allowedMethods(routes: readonly Route[], path: string): readonly string[] {
  const segments = path.split('/')
  const methods = routes
    .filter((route) => matches(route.path, segments))
    .flatMap((route) =>
      RIGHTS[nameOf(route)] === 'nothing' ? [route.method, 'HEAD'] : [route.method],
    )
  return [...new Set(methods)].sort()
}

function matches(path: string, segments: readonly string[]): boolean {
  const pattern = path.split('/')
  return (
    pattern.length === segments.length &&
    pattern.every(
      (part, index) => part === segments[index] || (part.startsWith('{') && segments[index] !== ''),
    )
  )
}
