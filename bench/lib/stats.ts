/** The value below which a fraction of the values lies; 0 without values. */
export function quantile(values: ArrayLike<number>, fraction: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? 0
}

export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort()
  const middle = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[middle] ?? 0
  return ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** Half of the distance between the extremes, as a fraction of the median. */
export function spread(values: ArrayLike<number>): number {
  const middle = median(values)
  if (values.length < 2 || middle === 0) return 0
  const all = Array.from(values)
  return (Math.max(...all) - Math.min(...all)) / 2 / middle
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] ?? 0
  return values.length === 0 ? 0 : sum / values.length
}
