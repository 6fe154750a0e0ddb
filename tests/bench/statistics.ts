/** Median and 95th percentile, in milliseconds. */
export interface Times {
  readonly p50Ms: number;
  readonly p95Ms: number;
}

/** Returns a percentile (nearest rank); NaN without values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

export const summarize = (timesMs: readonly number[]): Times => ({
  p50Ms: median(timesMs),
  p95Ms: percentile(timesMs, 0.95),
});

/** Returns the slope of the least-squares line. */
export function slope(points: readonly { x: number; y: number }[]): number {
  const mean = (pick: (point: { x: number; y: number }) => number) =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const meanX = mean(({ x }) => x);
  const meanY = mean(({ y }) => y);
  return mean(({ x, y }) => (x - meanX) * (y - meanY)) / mean(({ x }) => (x - meanX) ** 2);
}
