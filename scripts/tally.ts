interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

interface FileResult {
  readonly status: string
  readonly assertionResults: readonly { readonly status: string }[]
}

/**
 * Counts a vitest JSON report. What vitest fails without a failed test counts as one failure: a file
 * that could not be loaded, an error outside any test, no report at all. A run without a test failed.
 */
export function tally(report: unknown, exitCode: number | null): Tally {
  const files = (report as { testResults?: readonly FileResult[] } | undefined)?.testResults ?? []
  let passed = 0
  let failed = 0
  let skipped = 0
  for (const file of files) {
    let failedHere = 0
    for (const { status } of file.assertionResults) {
      if (status === 'passed') passed += 1
      else if (status === 'failed') failedHere += 1
      else skipped += 1
    }
    failed += file.status === 'failed' ? Math.max(failedHere, 1) : failedHere
  }
  const ranNothing = passed + failed === 0
  if (failed === 0 && (exitCode !== 0 || ranNothing)) failed = 1
  return { passed, failed, skipped }
}
