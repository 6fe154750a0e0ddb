import { replies } from '../support/engine.ts';
import type { FaultTarget, RoundTrip, RowKind } from '../support/storeProxy.ts';
import type { Cluster } from './cluster.ts';
import type { Dice } from './dice.ts';

/** A planned failure. */
export interface Strike {
  /** Time after the start of the run. */
  readonly atMs: number;
  /** Kind for counting, such as `store lose`. */
  readonly kind: string;
  /** Resolves when it is over, except for pending faults. */
  strike(cluster: Cluster): Promise<unknown>;
}

type Blow = Omit<Strike, 'atMs'>;

const roundTrips: readonly RoundTrip[] = [
  'read',
  'query',
  'transaction',
  'merge',
  'upsert',
  'insert',
  'delete',
];
const rows: readonly RowKind[] = ['thread', 'run', 'key', 'index'];

const create = { method: 'POST', path: '/v1/responses', exact: true };
const look = { method: 'GET', path: '/v1/responses/*', exact: true, stream: false };
const cancel = { method: 'POST', path: '/v1/responses/*/cancel', exact: true };
const conversations = { method: 'POST', path: '/v1/conversations', exact: true };
const conversation = { method: 'DELETE', path: '/v1/conversations/*', exact: true };
const items = { method: 'GET', path: '/v1/conversations/*/items', exact: true };

/**
 * Plans all failures in advance.
 * @param members number of workers.
 */
export function drawPlan(dice: Dice, seconds: number, members: number): Strike[] {
  const plan: Strike[] = [];
  for (let atMs = 500; atMs < seconds * 1000; atMs += dice.between(100, 500)) {
    const draw = dice.weighted<(dice: Dice) => Blow>([
      [10, storeFault],
      [1, storeAway],
      [3, queueFault],
      [12, engineFault],
      [5, spoiledStream],
      [8, engineOutcome],
      [6, engineTiming],
    ]);
    plan.push({ atMs, ...draw(dice) });
  }
  for (let atMs = 2_500; atMs < seconds * 1000; atMs += dice.between(2_500, 9_000)) {
    plan.push({ atMs, ...kill(dice, members) });
  }
  return plan.sort((one, other) => one.atMs - other.atMs);
}

function kill(dice: Dice, members: number): Blow {
  const victim = dice.between(0, members - 1);
  const pauseMs = dice.between(0, 1_500);
  return { kind: 'worker kill', strike: async ({ members }) => members[victim]?.crash(pauseMs) };
}

function storeFault(dice: Dice): Blow {
  const kind = dice.pick(roundTrips);
  const target: FaultTarget = dice.chance(0.5) ? kind : { kind, row: dice.pick(rows) };
  const times = dice.weighted([
    [6, 1],
    [2, 3],
    [1, 6],
  ]);
  const name = dice.weighted([
    [4, 'lose'],
    [3, 'fail'],
    [1, 'hang'],
    [3, 'late'],
  ] as const);
  // Before the first follow-up, which arrives after 30 seconds in production and after 3 seconds here.
  const late = { lateMs: dice.between(50, 1_500), response: dice.pick(['fail', 'hang', 'drop'] as const) };
  return {
    kind: `store ${name}`,
    strike: async ({ store }) => store.inject(target, name === 'late' ? late : name, times),
  };
}

function storeAway(dice: Dice): Blow {
  const ms = dice.between(200, 1_500);
  return {
    kind: 'store away',
    strike: async ({ store }) => {
      await store.away();
      await new Promise((resolve) => setTimeout(resolve, ms));
      await store.back();
    },
  };
}

function queueFault(dice: Dice): Blow {
  const call = dice.weighted([
    [4, 'send'],
    [1, 'receive'],
    [2, 'delete'],
  ] as const);
  const fault = dice.pick(['fail', 'hang', 'lose', 'late', 'twice'] as const);
  return { kind: `queue ${fault}`, strike: async ({ queue }) => queue.inject(call, fault) };
}

function engineFault(dice: Dice): Blow {
  const match = dice.weighted([
    [6, create],
    [4, look],
    [3, cancel],
    [1, conversations],
    [2, conversation],
    [1, items],
  ]);
  const kind = dice.weighted([
    [4, 'status'],
    [3, 'refuse'],
    [2, 'drop'],
    [1, 'hang'],
    [3, 'drop_after'],
    [1, 'hang_after'],
    [3, 'delay'],
    [1, 'garbage'],
    [1, 'error_event'],
  ]);
  const fault: Record<string, unknown> = { kind };
  if (kind === 'status')
    fault['status'] = dice.pick([429, 500, 502, 503, ...(match === cancel ? [400, 409] : [])]);
  if (kind === 'delay') fault['ms'] = dice.between(100, 3_000);
  const isForCreates = kind === 'refuse' || kind === 'error_event';
  if (kind === 'refuse') {
    fault['reason'] = dice.pick(['azure_content_filter', 'context_length_exceeded', 'rate_limit_exceeded']);
  }
  if (kind === 'error_event') fault['code'] = dice.pick(['rate_limit_exceeded', 'server_error']);
  const target = isForCreates ? create : match;
  const times = dice.chance(0.8) ? 1 : 3;
  return {
    kind: `engine ${kind}`,
    strike: ({ engine }) => engine.fault(target, fault, times),
  };
}

function spoiledStream(dice: Dice): Blow {
  const which = dice.pick(['created', 'resumed'] as const);
  if (which === 'resumed' && dice.chance(0.3)) {
    const status = dice.pick([400, 500, 503]);
    return { kind: 'engine no resume', strike: ({ engine }) => engine.refuseResume(status) };
  }
  const fault = {
    afterEvents: dice.weighted([
      [1, 0],
      [2, dice.between(1, 4)],
      [4, dice.between(5, 60)],
    ]),
    how: dice.weighted([
      [3, 'drop'],
      [1, 'stall'],
      [2, 'end'],
    ] as const),
    ...(dice.chance(0.4) && { extraBytes: dice.between(1, 300) }),
    ...(which === 'resumed' && dice.chance(0.3) && { repeat: true }),
  };
  return { kind: `engine stream ${fault.how}`, strike: ({ engine }) => engine.spoilStream(which, fault) };
}

function engineOutcome(dice: Dice): Blow {
  const outcome = dice.weighted<Record<string, unknown>>([
    [3, { status: 'failed', code: 'server_error' }],
    [2, { status: 'failed', code: 'rate_limit_exceeded', errorEvent: dice.pick(['nested', 'flat']) }],
    [2, { status: 'incomplete', reason: dice.pick(['max_output_tokens', 'content_filter']) }],
    [3, { status: 'never' }],
    [5, replies.functionCall('get_order', { orderId: 'A-17' })],
    [1, replies.functionCalls(['get_order', { orderId: 'A-17' }], ['get_order', { orderId: 'B-4' }])],
    [2, replies.approvalRequest('delete_contact', { id: 'C-4' })],
    [2, replies.refusal('I cannot help with this request, it would not be safe.')],
    [2, replies.commentary('Let me look that up first.', 'Here is what the documents say about it.')],
    [2, replies.messages('First a short message.', 'Then a second one with more words in it.')],
    [2, replies.texts('One part of the text.', 'Another part of the same message.')],
    [1, replies.reasoning({ summary: ['Thinking it over.'] }, 'A thought-through reply.')],
  ]);
  return { kind: `engine ${outcome['status']}`, strike: ({ engine }) => engine.outcome(outcome) };
}

function engineTiming(dice: Dice): Blow {
  const timing = {
    queueMs: dice.pick([0, 50, 400, 1_500]),
    runMs: dice.pick([0, 100, 600, 2_500]),
    visibleAfterMs: dice.pick([0, 0, 0, 800, 3_000]),
    unlockAfterCancelMs: dice.pick([0, 0, 700]),
    completeAfterCancelMs: dice.pick([null, null, 0, 300]),
  };
  return { kind: 'engine timing', strike: ({ engine }) => engine.timing(timing) };
}
