import { describe, expect, test } from '@jest/globals';
import { parseRunId, parseThreadId } from '../../../shared/http/params.ts';

describe('ids in a path', () => {
  test('are returned as they are', () => {
    expect(parseThreadId('thread_abc123')).toBe('thread_abc123');
    expect(parseRunId('run_def456789')).toBe('run_def456789');
  });

  test.each([undefined, '', 'abc', 'run_1', 'thread_', 'thread_a-b'])('make no thread of %j', (id) => {
    expect(() => parseThreadId(id)).toThrow(expect.objectContaining({ code: 'thread_not_found' }));
  });

  test.each([undefined, '', 'abc', 'thread_1', 'run_', 'run_a-b', 'thread'])('make no run of %j', (id) => {
    expect(() => parseRunId(id)).toThrow(expect.objectContaining({ code: 'run_not_found' }));
  });
});
