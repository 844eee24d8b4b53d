const time = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** A few plain sentences for ops: what was compared, and what came of it. `at`: set while it is under way. */
export function explainReconciliation(
  progress: {
    source: string;
    from: number;
    until: number;
    examined: Readonly<Record<string, number>>;
    repaired: number;
    reported: number;
    differences: readonly { kind: string; object: string; outcome: string; detail: string }[];
  },
  at?: number,
): string {
  const { source, from, until, examined, repaired, reported, differences } = progress;
  const looked = Object.entries(examined)
    .map(([name, count]) => `${count} ${name.replaceAll('_', ' ')}`)
    .join(', ');
  return [
    `Compares what Stripe and Temporal know of this tenant's money, from ${time(from)} to ${time(until)}.`,
    at === undefined ? 'It is done.' : `Now: ${source.replaceAll('_', ' ')} (${time(at)}).`,
    ...(looked ? [`Looked at: ${looked}.`] : []),
    repaired + reported === 0
      ? 'No difference so far.'
      : `Repaired: ${repaired}. To be looked at by a person: ${reported}.`,
    ...differences.slice(0, 20).map(({ kind, object, outcome, detail }) => {
      return `- ${outcome}: ${kind.replaceAll('_', ' ')}, ${object} (${detail})`;
    }),
  ].join('\n');
}
