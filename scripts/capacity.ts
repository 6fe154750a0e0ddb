/*
 * `npm run bench:capacity`: prints what so many runs a month need, as Markdown. docs/benchmarks.md has this text, and a
 * test compares the two. Nothing here was measured in Azure: it is arithmetic over figures of `npm run bench`, limits
 * that Microsoft publishes and list prices. The letters name the sources listed in docs/benchmarks.md.
 */

const secondsPerMonth = 30 * 24 * 3_600;

/** One run as its client uses the service: a create, two waits, a look at the thread; every fifth opens a thread. */
const perRun = {
  requests: 4.2,
  /** Beside the requests, one follow-up. */
  followUps: 1,
  /** For how long the run keeps a request open: the length of a run is an assumption. */
  openSeconds: 10,
  /** As `openSeconds`, with the billed minimum of one second [F2] for the create and the look. */
  billedSeconds: 12,
  /** Processor time: a create 4.8 (`npm run bench`, requests), each other invocation at most 3; rounded up. */
  cpuMs: 20,
  /** Create and waits 7 (`npm run bench`, calls), the thread 1, the follow-up 1, a fifth of opening a thread 0.6. */
  storeOperations: 9.6,
  /** A message is sent, received and deleted. */
  queueOperations: 3,
  /** A run's row, and a fifth of a thread's and its index entry's. */
  storedBytes: 800,
  /** A request record and a log line for each of 5.2 invocations; an estimate. */
  logBytes: 5.2 * 1_500,
  /** As in the README's table of costs. */
  tokensIn: 3_000,
  tokensOut: 400,
};

/** How much busier the busiest hour is than the mean: all of a month's work in a fifth of its hours. An assumption. */
const peakFactor = 5;

/** How far a processor or an account is loaded at the peak. */
const fill = 0.7;

const instance = { memoryGb: 2, cores: 1, httpConcurrency: 100 };

const limits = {
  /** Instances of 2,048 MB in a subscription and region unless raised [F1]. */
  regionInstances: 250,
  /** Instances of an app, at most [F1]. */
  appInstances: 1_000,
  /** Requests of all services of a storage account a second [S1]. */
  accountRequests: 20_000,
  /** Messages of one queue a second [S3]. */
  queueMessages: 2_000,
  /** Entities of one table partition a second [S4]. */
  partitionEntities: 2_000,
  /** The deployment's own daily cap of logs, in GB a month. */
  logGb: 30,
};

/** US dollars. */
const prices = {
  gbSecond: 0.000026, // [P1]
  freeGbSeconds: 100_000, // [P1]
  execution: 0.4 / 1e6, // [P1]
  freeExecutions: 250_000, // [P1]
  tableOperation: 0.00036 / 1e4, // [P2]
  queueOperation: 0.004 / 1e4, // [P3]
  storedGb: 0.045, // [P3]
  logGb: 2.3, // [P4]
  tokenIn: 0.75 / 1e6, // [P5]
  tokenOut: 4.5 / 1e6, // [P5]
};

/** What a number of runs a month needs. */
function need(runs: number) {
  const mean = runs / secondsPerMonth;
  const peak = mean * peakFactor;
  const open = peak * perRun.openSeconds;
  const instancesFor = (perSecond: number) =>
    Math.max(
      1,
      Math.ceil((perSecond * perRun.openSeconds) / instance.httpConcurrency),
      Math.ceil((perSecond * perRun.cpuMs) / 1_000 / instance.cores / fill),
    );
  // An instance is billed while at least one request is open: with Poisson arrivals that share of the time.
  const active = (instances: number, openRequests: number) =>
    instances * (1 - Math.exp(-openRequests / instances)) * secondsPerMonth * instance.memoryGb;
  const gbSeconds =
    active(instancesFor(mean), mean * perRun.billedSeconds) + active(1, mean * perRun.followUps);
  const executions = runs * (perRun.requests + perRun.followUps);
  const storeOperations = runs * perRun.storeOperations;
  const queueOperations = runs * perRun.queueOperations;
  const storageRequests = (peak * (storeOperations + queueOperations)) / runs;
  const logGb = (runs * perRun.logBytes) / 1e9;
  const money = {
    functions:
      Math.max(0, gbSeconds - prices.freeGbSeconds) * prices.gbSecond +
      Math.max(0, executions - prices.freeExecutions) * prices.execution,
    store: storeOperations * prices.tableOperation + (runs * perRun.storedBytes * 12 * prices.storedGb) / 1e9,
    queue: queueOperations * prices.queueOperation,
    logs: Math.min(logGb, limits.logGb) * prices.logGb,
    engine: runs * (perRun.tokensIn * prices.tokenIn + perRun.tokensOut * prices.tokenOut),
  };
  return {
    requests: { mean: mean * perRun.requests, peak: peak * perRun.requests },
    open,
    instances: instancesFor(peak),
    storeOperations,
    queueOperations,
    storageRequests,
    messages: peak * perRun.followUps,
    accounts: Math.max(1, Math.ceil(storageRequests / limits.accountRequests / fill)),
    queues: Math.max(1, Math.ceil((peak * perRun.followUps) / limits.queueMessages / fill)),
    logShare: Math.min(1, limits.logGb / logGb),
    tokensPerMinute: peak * 60 * (perRun.tokensIn + perRun.tokensOut),
    money,
    total: money.functions + money.store + money.queue + money.logs,
  };
}

type Need = ReturnType<typeof need>;

const months = [1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

const rows: readonly (readonly [string, (needed: Need) => string])[] = [
  ['requests a second, mean / peak', ({ requests }) => `${short(requests.mean)} / ${short(requests.peak)}`],
  ['open requests at the peak', ({ open }) => short(open)],
  ['instances for HTTP at the peak', ({ instances }) => short(instances)],
  ['store operations a month', ({ storeOperations }) => short(storeOperations)],
  ['queue operations a month', ({ queueOperations }) => short(queueOperations)],
  ['storage requests a second at the peak', ({ storageRequests }) => short(storageRequests)],
  ['storage accounts', ({ accounts }) => String(accounts)],
  ['queues', ({ queues }) => String(queues)],
  ['engine tokens a minute at the peak', ({ tokensPerMinute }) => short(tokensPerMinute)],
  ['Functions, US$ a month', ({ money }) => dollars(money.functions)],
  ['store, rows of a year kept', ({ money }) => dollars(money.store)],
  ['queue', ({ money }) => dollars(money.queue)],
  ['logs, sampled to 1 GB a day', ({ money, logShare }) => `${dollars(money.logs)} (${percent(logShare)})`],
  ['all but the engine, US$ a month', ({ total }) => dollars(total)],
  ['engine, US$ a month', ({ money }) => dollars(money.engine)],
];

interface Limit {
  readonly name: string;
  readonly most: number;
  /** What one run a second needs of it. */
  readonly perRunPerSecond: number;
  readonly remedy: string;
}

const limitRows: readonly Limit[] = [
  {
    name: 'logs: 1 GB a day (`logDailyCapGb`)',
    most: (limits.logGb * 1e9) / secondsPerMonth,
    // Logs are counted by the day, not by the second.
    perRunPerSecond: perRun.logBytes / peakFactor,
    remedy: 'lower `samplingPercentage`, or raise the cap',
  },
  {
    name: 'instances: `maximumInstanceCount` 40',
    most: 40,
    perRunPerSecond: perRun.openSeconds / instance.httpConcurrency,
    remedy: 'raise it, up to 1,000 [F1]',
  },
  {
    name: 'instances: 250 of 2,048 MB a subscription and region [F1]',
    most: limits.regionInstances,
    perRunPerSecond: perRun.openSeconds / instance.httpConcurrency,
    remedy: 'ask for more, raise `httpConcurrency`, or use `512` MB where the processor allows',
  },
  {
    name: 'instances: 1,000 an app [F1]',
    most: limits.appInstances,
    perRunPerSecond: perRun.openSeconds / instance.httpConcurrency,
    remedy: 'a second deployment, projects divided between the two',
  },
  {
    name: 'queue: 2,000 messages a second [S3]',
    most: limits.queueMessages,
    perRunPerSecond: perRun.followUps,
    remedy: 'several queues, by a hash of the project id (not built)',
  },
  {
    name: 'storage account: 20,000 requests a second [S1]',
    most: limits.accountRequests,
    perRunPerSecond: perRun.storeOperations + perRun.queueOperations,
    remedy:
      'projects spread over accounts by a hash of their id (not built); before that, the queue in an account of its own, or a region with 40,000 [S2]',
  },
  {
    name: "one project's list of threads: 2,000 entities a second [S4]",
    most: limits.partitionEntities,
    // Two writes for each thread that is opened.
    perRunPerSecond: 0.4,
    remedy: 'the index of such a project in several partitions, merged when read (not built)',
  },
];

function limitRow({ name, most, perRunPerSecond, remedy }: Limit): string[] {
  const runs = ((most / perRunPerSecond) * secondsPerMonth) / peakFactor;
  return [name, short(runs), remedy];
}

/** A Markdown table with its columns aligned, as the formatter wants it. */
function toMarkdown([head = [], ...body]: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) =>
    Math.max(3, ...[head, ...body].map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

/** Two digits that count, in words of thousands. */
function short(value: number): string {
  const units = ['', ' thousand', ' million', ' billion'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(value) / 3)));
  return `${Number((value / 1_000 ** power).toPrecision(2))}${units[power]}`;
}

const dollars = (value: number): string =>
  value < 10 ? value.toFixed(2) : Number(value.toPrecision(2)).toLocaleString('en-US');

const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`;

/** The tables of docs/benchmarks.md. */
export function capacityTables(): string {
  const needs = months.map(need);
  return [
    toMarkdown([
      ['runs a month', ...months.map(short)],
      ...rows.map(([name, tell]) => [name, ...needs.map(tell)]),
    ]),
    toMarkdown([['limit', 'met at so many runs a month', 'what then'], ...limitRows.map(limitRow)]),
  ].join('\n\n');
}

if (import.meta.main) console.log(capacityTables());
