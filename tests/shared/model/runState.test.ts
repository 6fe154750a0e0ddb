import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Run } from '../../../shared/model/run.ts';
import {
  applyEngineState,
  claimRound,
  type EngineRunState,
  expire,
  failOutcomeUnknown,
  failRejected,
  isTerminal,
  isUnsubmitted,
  revertClaim,
  runDeadline,
} from '../../../shared/model/runState.ts';

const maxToolRounds = 3;
const applyState = (run: Run, state: EngineRunState, now: Date) =>
  applyEngineState(run, state, now, maxToolRounds);

const createdAt = new Date('2026-01-01T00:00:00.000Z');
const at = (seconds: number) => new Date(createdAt.getTime() + seconds * 1000);

const queued: Run = {
  ...{ runId: 'run_1', threadId: 'thread_1', projectId: 'p', assistantId: 'asst_1' },
  status: 'queued',
  createdAt,
  expiresAt: at(600),
  responseId: 'r',
};
const usage = { inputTokens: 1, outputTokens: 2, totalTokens: 3 };
const unknown = 'its outcome is unknown, and the thread may hold the answer';

/** Something that befalls a run, at a moment. */
interface Event {
  readonly name: string;
  readonly apply: (run: Run) => Run;
}

const event = (name: string, apply: (run: Run) => Run): Event => ({ name, apply });
const see = (state: EngineRunState, now: Date) =>
  event(`sees ${JSON.stringify(state)}`, (run) => applyState(run, state, now));

/** Of the engine, whose clock may say anything. */
const anyMoment = fc.date({ min: at(-3600), max: at(7200), noInvalidDate: true });
const engineState: fc.Arbitrary<EngineRunState> = fc.oneof(
  fc.constantFrom<EngineRunState>(
    { status: 'queued' },
    { status: 'in_progress' },
    { status: 'cancelled' },
    { status: 'absent' },
    { status: 'failed', errorCode: 'engine_error', reason: 'server_error' },
    { status: 'failed', errorCode: 'max_output_tokens', reason: 'max_output_tokens', usage },
    { status: 'completed' },
    { status: 'completed', usage },
  ),
  anyMoment.map((completedAt): EngineRunState => ({ status: 'completed', completedAt, usage })),
);
const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(engineState, anyMoment).map(([state, now]) => see(state, now)) },
  anyMoment.map((now) => event('is refused', (run) => failRejected(run, now))),
  anyMoment.map((now) => event('is lost', (run) => failOutcomeUnknown(run, now))),
  fc
    .tuple(anyMoment, fc.boolean())
    .map(([now, stopped]) => event(`expires, stopped: ${stopped}`, (run) => expire(run, now, stopped))),
);

describe('a run, whatever befalls it in whatever order', () => {
  const always = (check: (before: Run, next: Run) => void) =>
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 8 }), fc.boolean(), (events, taken) => {
        const { responseId, ...untaken } = queued;
        let run: Run = taken ? queued : untaken;
        for (const { apply } of events) {
          const next = apply(run);
          check(run, next);
          run = next;
        }
      }),
      { numRuns: 500 },
    );

  test('is never changed once it is finished', () => {
    always((before, next) => {
      if (isTerminal(before)) expect(next).toBe(before);
    });
  });

  test('is the same object when nothing changed, and never changed in place', () => {
    always((before, next) => {
      const copy = structuredClone(before);
      if (next !== before) expect(next).not.toEqual(before);
      expect(before).toEqual(copy);
    });
  });

  test('was created, then started, then ended', () => {
    always((_before, { startedAt, completedAt }) => {
      const times = [createdAt, startedAt, completedAt].flatMap((time) => time?.getTime() ?? []);
      expect(times).toEqual(times.toSorted((one, other) => one - other));
      expect(times).not.toContain(Number.NaN);
    });
  });

  test('has an end if and only if it is finished, and a reason if and only if it did not complete', () => {
    always((_before, run) => {
      const finished = ['completed', 'failed', 'expired', 'cancelled'].includes(run.status);
      expect(isTerminal(run)).toBe(finished);
      expect(run.completedAt !== undefined).toBe(finished);
      expect(run.errorMessage !== undefined).toBe(finished && run.status !== 'completed');
      expect(run.errorCode !== undefined).toBe(run.errorMessage !== undefined);
      if (run.usage) expect(['completed', 'failed']).toContain(run.status);
    });
  });

  test('keeps its ids, its creation, its deadline and the moment it started', () => {
    always((before, next) => {
      const kept = ['runId', 'threadId', 'projectId', 'assistantId', 'createdAt', 'expiresAt', 'responseId'];
      for (const field of kept as (keyof Run)[]) expect(next[field]).toBe(before[field]);
      if (before.startedAt) expect(next.startedAt).toBe(before.startedAt);
    });
  });

  test('never goes back to the queue', () => {
    always((before, next) => {
      if (before.status !== 'queued') expect(next.status).not.toBe('queued');
    });
  });
});

describe('a queued run', () => {
  const now = at(10);

  test.each<[string, Event, Partial<Run>]>([
    [
      'is in progress from the moment that is seen',
      see({ status: 'in_progress' }, now),
      {
        status: 'in_progress',
        startedAt: now,
      },
    ],
    [
      'completes when the engine says',
      see({ status: 'completed', completedAt: at(5), usage }, now),
      {
        status: 'completed',
        startedAt: at(5),
        completedAt: at(5),
        usage,
      },
    ],
    [
      'completes now when the engine does not say',
      see({ status: 'completed' }, now),
      {
        status: 'completed',
        startedAt: now,
        completedAt: now,
      },
    ],
    [
      'completes now when the engine is ahead',
      see({ status: 'completed', completedAt: at(99) }, now),
      {
        status: 'completed',
        startedAt: now,
        completedAt: now,
      },
    ],
    [
      'completes at its creation when the engine is behind',
      see({ status: 'completed', completedAt: at(-9) }, now),
      {
        status: 'completed',
        startedAt: createdAt,
        completedAt: createdAt,
      },
    ],
    [
      'fails for the reason',
      see({ status: 'failed', errorCode: 'content_filter', reason: 'content_filter' }, now),
      {
        status: 'failed',
        completedAt: now,
        errorCode: 'content_filter',
        errorMessage: 'The assistant could not finish the run: content_filter.',
      },
    ],
    [
      'is cancelled',
      see({ status: 'cancelled' }, now),
      {
        status: 'cancelled',
        completedAt: now,
        errorCode: 'cancelled',
        errorMessage: 'The run was cancelled.',
      },
    ],
    [
      'expires when the engine no longer knows it',
      see({ status: 'absent' }, at(60)),
      {
        status: 'expired',
        completedAt: at(60),
        errorCode: 'outcome_unknown',
        errorMessage: `The assistant no longer knows the run: ${unknown}.`,
      },
    ],
    [
      'expires and was stopped',
      event('', (run) => expire(run, now, true)),
      {
        status: 'expired',
        completedAt: now,
        errorCode: 'timed_out',
        errorMessage: 'The run took too long and was stopped.',
      },
    ],
    [
      'expires and may still run',
      event('', (run) => expire(run, now, false)),
      {
        status: 'expired',
        completedAt: now,
        errorCode: 'timed_out',
        errorMessage: `The run took too long: ${unknown}.`,
      },
    ],
    [
      'is refused',
      event('', (run) => failRejected(run, now)),
      {
        status: 'failed',
        completedAt: now,
        errorCode: 'engine_rejected',
        errorMessage: 'The assistant did not accept the run.',
      },
    ],
    [
      'is lost',
      event('', (run) => failOutcomeUnknown(run, now)),
      {
        status: 'failed',
        completedAt: now,
        errorCode: 'outcome_unknown',
        errorMessage: `The assistant did not answer in time: ${unknown}.`,
      },
    ],
  ])('%s', (_name, { apply }, changed) => {
    expect(apply(queued)).toEqual({ ...queued, ...changed });
  });

  test.each([
    ['a minute after its creation', queued, 59.999, 60],
    ['a minute after it was accepted', { ...queued, submittedAt: at(20) }, 79.999, 80],
    ['at its expiry', { ...queued, expiresAt: at(5) }, 4.999, 5],
  ])('that the engine does not show is believed to be gone %s', (_name, run, before, after) => {
    const absent: EngineRunState = { status: 'absent' };
    expect(applyState(run, absent, at(before))).toBe(run);
    expect(applyState(run, absent, at(after)).errorCode).toBe('outcome_unknown');
  });

  test('expires with another reason when the engine never took it', () => {
    const { responseId, ...untaken } = queued;
    expect(expire(untaken, now, false).errorMessage).toBe(
      `The assistant never confirmed the run: ${unknown}.`,
    );
  });

  test('that completes keeps the moment it was seen at work', () => {
    const running = applyState(queued, { status: 'in_progress' }, at(10));
    const completed = applyState(running, { status: 'completed', completedAt: at(5) }, at(20));
    expect([completed.startedAt, completed.completedAt]).toEqual([at(10), at(10)]);
  });

  test.each([
    ['the engine accepted it, if nobody saw it at work', at(2), at(2)],
    ['it ended, if the engine is behind the service', at(7), at(5)],
  ])('that completes started when %s', (_name, submittedAt, startedAt) => {
    const completed = applyState(
      { ...queued, submittedAt },
      { status: 'completed', completedAt: at(5) },
      at(20),
    );
    expect([completed.startedAt, completed.completedAt]).toEqual([startedAt, at(5)]);
  });
});

describe('the deadline of a run', () => {
  const { responseId, ...untaken } = queued;

  test.each<[string, Run, Date]>([
    ['is its expiry once the engine has it', queued, at(600)],
    ['is a minute while the engine does not have it', untaken, at(60)],
    ['is never later than its expiry', { ...untaken, expiresAt: at(30) }, at(30)],
  ])('%s', (_name, run, expected) => {
    expect(runDeadline(run)).toEqual(expected);
  });
});

describe('a run with rounds', () => {
  const call = { kind: 'function', callId: 'call_1', name: 'f', arguments: 'canary' } as const;
  const calls: EngineRunState = { status: 'requires_action', calls: [call], instructions: 'canary', usage };
  const claim = (run: Run) => claimRound(run, { claimId: 'claim', fingerprint: 'print', now: at(20) });
  const accept = (run: Run, responseId: string) => ({ ...run, responseId });
  const waiting = applyState(queued, calls, at(10));

  test('waits, and keeps only the ids of the calls', () => {
    expect(waiting).toEqual({
      ...queued,
      status: 'requires_action',
      startedAt: at(10),
      usage,
      pendingCalls: [{ kind: 'function', callId: 'call_1' }],
    });
    expect(applyState(waiting, calls, at(11))).toBe(waiting);
    expect(applyState(waiting, { status: 'in_progress' }, at(11))).toBe(waiting);
  });

  test('is claimed for the next round, with a minute to submit it', () => {
    const claimed = claim(waiting);
    expect(claimed).toMatchObject({ status: 'queued', earlierResponseIds: ['r'], submissions: ['print'] });
    expect(claimed.responseId).toBeUndefined();
    expect(claimed.pendingCalls).toEqual(waiting.pendingCalls);
    expect(runDeadline(claimed)).toEqual(at(80));
    expect(isUnsubmitted(claimed, { claimId: 'claim' })).toBe(true);
    expect(isUnsubmitted(claimed, { claimId: 'other' })).toBe(false);
  });

  test('waits again when the claim is undone', () => {
    const { claimId, claimedAt, ...undone } = revertClaim(claim(waiting));
    expect(undone).toEqual({ ...waiting, earlierResponseIds: [], submissions: [] });
  });

  test('adds up usage, and has no pending calls once a round has completed', () => {
    const completed = applyState(accept(claim(waiting), 'r2'), { status: 'completed', usage }, at(30));
    expect(completed).toMatchObject({
      status: 'completed',
      pendingCalls: [],
      usage: { inputTokens: 2, outputTokens: 4, totalTokens: 6 },
    });
  });

  test('keeps its calls pending when it ends in any other way', () => {
    const running = accept(claim(waiting), 'r2');
    const failed: EngineRunState = { status: 'failed', errorCode: 'engine_error', reason: 'server_error' };
    for (const ended of [
      applyState(running, { status: 'cancelled' }, at(30)),
      applyState(running, failed, at(30)),
      expire(running, at(600), true),
      failOutcomeUnknown(claim(waiting), at(30)),
      failRejected(claim(waiting), at(30), 'content_filter'),
    ]) {
      expect([isTerminal(ended), ended.pendingCalls]).toEqual([true, waiting.pendingCalls]);
    }
    expect(applyState(running, { ...failed, calls: [] }, at(30)).pendingCalls).toEqual([]);
  });

  test('fails when it has had the rounds that it may have', () => {
    let run = waiting;
    for (let round = 1; round < maxToolRounds; round++)
      run = applyState(accept(claim(run), `r${round}`), calls, at(30));
    expect(run.status).toBe('requires_action');
    const last = applyState(accept(claim(run), 'last'), calls, at(40));
    expect(last).toMatchObject({ status: 'failed', errorCode: 'too_many_tool_rounds', completedAt: at(40) });
    expect(last.pendingCalls).toEqual(waiting.pendingCalls);
  });
});
