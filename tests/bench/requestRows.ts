import type { Measured } from './load.ts';
import type { Row } from './report.ts';
import type { Level, Subject } from './requests.ts';

const names: Readonly<Record<Subject, string>> = {
  create: 'create',
  unfinished: 'get, unfinished',
  finished: 'get, finished',
  streamed: 'constant function',
  classic: 'constant, not streaming',
  bare: 'bare engine call',
  http: 'plain HTTP',
};

/** Each measurement with its baseline. */
const pairs: readonly (readonly [Subject, Subject])[] = [
  ['create', 'bare'],
  ['create', 'streamed'],
  ['unfinished', 'streamed'],
  ['finished', 'streamed'],
  ['streamed', 'classic'],
  ['classic', 'http'],
];

/** The concurrency whose CPU time is reported: enough to keep the servers busy without queueing. */
const cpuLevel = 16;

/** Returns the report's rows for create and get. */
export function requestRows(levels: readonly Level[]): Row[] {
  const times = pairs.flatMap(([subject, other]) =>
    levels.map(({ inFlight, measured }): Row => {
      const row = {
        figure: `${names[subject]}, ${inFlight} in flight`,
        unit: 'p50/p95 ms, per second',
        value: numbers(measured[subject]),
        against: { name: names[other], value: numbers(measured[other]) },
      };
      if (subject !== 'finished') return row;
      const share = measured.finished.perSecond / measured.streamed.perSecond;
      return { ...row, target: { text: 'throughput ≥ 0.5', met: share >= 0.5 } };
    }),
  );
  const measured = levels.find(({ inFlight }) => inFlight === cpuLevel)?.measured;
  return [...times, ...(measured ? cpuRows(measured) : [])];
}

const numbers = ({ p50Ms, p95Ms, perSecond }: Measured) => [p50Ms, p95Ms, perSecond];

function cpuRows(measured: Level['measured']): Row[] {
  const cpu = (subject: Subject) => measured[subject].cpuUs;
  if (cpu('create') === undefined) return [];
  const row = (subject: Subject, other: Subject): Row => ({
    figure: `CPU of a request: ${names[subject]}`,
    unit: 'µs',
    value: [cpu(subject) ?? 0],
    against: { name: names[other], value: [cpu(other) ?? 0] },
  });
  const [create = 0, bare = 0, streamed = 0, http = 0] = [
    cpu('create'),
    cpu('bare'),
    cpu('streamed'),
    cpu('http'),
  ];
  const added = create - bare;
  // Both the host and the bare call include HTTP; count it once.
  const hostAdded = streamed - http;
  return [
    ...pairs.map(([subject, other]) => row(subject, other)),
    {
      figure: 'CPU that a create adds to the bare call',
      unit: 'µs',
      value: [added],
      against: { name: names.bare, value: [bare] },
      target: { text: '≤ 1000', met: added <= 1000 },
    },
    {
      figure: 'of which host and streaming',
      unit: 'µs',
      value: [hostAdded],
      against: { name: 'all that is added', value: [added] },
    },
  ];
}
