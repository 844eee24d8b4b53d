/** Latencies of one kind, ms. */
export interface Latencies {
  p50: number;
  p99: number;
  count: number;
}

export function summarise(samples: readonly number[]): Latencies {
  return { p50: quantile(samples, 0.5), p99: quantile(samples, 0.99), count: samples.length };
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** The smallest sample that at least the given share of all samples does not exceed. */
function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
