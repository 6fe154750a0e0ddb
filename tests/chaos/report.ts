import type { ChaosReport } from './chaosRun.ts';

const toLine = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');

/** Summarizes a chaos run in a few lines; violations come with the command that replays their plan. */
export function toText(report: ChaosReport, seconds: number): string {
  const { seed, violations, outcomes, faults, runs, readings, asked } = report;
  return [
    `seed ${seed}, ${seconds} seconds`,
    `responses: ${toLine(outcomes)}`,
    `faults: ${toLine(faults)}`,
    `runs: ${toLine(runs)}; followed to the end by ${readings} events clients; asked for: ${asked}`,
    `violations: ${violations.length}`,
    ...violations.map((violation) => `  ${violation}`),
    ...(violations.length > 0 ? [`replay: npm run chaos -- --seconds ${seconds} --seed ${seed}`] : []),
  ].join('\n');
}
