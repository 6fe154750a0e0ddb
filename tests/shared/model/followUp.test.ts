import { describe, expect, test } from '@jest/globals';
import { parseFollowUp } from '../../../shared/model/followUp.ts';

const run = { kind: 'run', projectId: 'p', threadId: 'thread_1', runId: 'run_1', attempt: 0 };
const deletion = { kind: 'deletion', projectId: 'p', threadId: 'thread_1', attempt: 3 };

describe('parseFollowUp', () => {
  test.each([run, deletion])('reads %j', (followUp) => {
    expect(parseFollowUp(followUp)).toEqual(followUp);
  });

  test('keeps nothing but ids and the attempt', () => {
    expect(parseFollowUp({ ...run, message: 'canary' })).toEqual(run);
    expect(parseFollowUp({ ...deletion, runId: 'run_1' })).toEqual(deletion);
  });

  test.each<[unknown]>([
    ...[undefined, null, '', 'text', 7, [], {}].map((value): [unknown] => [value]),
    [{ ...run, kind: 'other' }],
    [{ ...run, projectId: '' }],
    [{ ...run, projectId: 7 }],
    [{ ...run, threadId: 'run_1' }],
    [{ ...run, threadId: undefined }],
    [{ ...run, runId: undefined }],
    [{ ...run, runId: "run_' or true" }],
    [{ ...run, attempt: -1 }],
    [{ ...run, attempt: 0.5 }],
    [{ ...run, attempt: '1' }],
    [{ ...run, attempt: Number.MAX_VALUE }],
    [{ ...deletion, threadId: 'thread_' }],
  ])('refuses %j', (value) => {
    expect(parseFollowUp(value)).toBeUndefined();
  });
});
