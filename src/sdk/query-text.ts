/** What stands behind a path; empty where nothing is asked. */
export function queryText(
  query: Readonly<Record<string, string | number | undefined>> = {},
): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) params.set(name, String(value))
  }
  return params.size === 0 ? '' : `?${params}`
}
