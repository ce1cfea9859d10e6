import { checkKeys, type RawJson } from './body.ts'

/** Values of a body's top level as the bytes that came; `null`: it is not there. @throws HeldlineError as `checkKeys` */
export function rawMembers<Name extends string>(
  { text }: RawJson,
  ...names: readonly Name[]
): Record<Name, string | null> {
  const members = checkKeys(text)
  const found = names.map((name) => [name, members.find(({ key }) => key === name)?.raw ?? null])
  // One entry a name.
  return Object.fromEntries(found) as Record<Name, string | null>
}
