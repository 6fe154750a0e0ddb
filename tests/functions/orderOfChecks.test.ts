import { beforeAll, describe, expect, test } from '@jest/globals';
import { idOf } from '../support/paths.ts';
import { useService } from '../support/useService.ts';

const t = useService();

describe('a request that is refused', () => {
  let own: string;
  let foreign: string;
  let thread: string;

  beforeAll(async () => {
    own = (await t.addProject()).projectId;
    foreign = (await t.addProject()).projectId;
    thread = idOf(await t.openThread(own));
  });

  interface Refusal {
    readonly name: string;
    readonly method?: 'POST' | 'PATCH';
    /** O, F and T stand for the own project, a foreign one and the own thread. */
    readonly path: string;
    readonly token?: string;
    readonly key?: string;
    readonly response: string;
    /** Reads of threads and runs; that of the project may come on top. */
    readonly reads?: number;
  }

  const forged = 'a.b.c';
  const badBody = { message: 7 };
  const badMetadata = { metadata: 7 };
  const refusals: (Refusal & { body?: unknown })[] = [
    ...(
      [
        ['createRun', 'POST', 'projects/F/threads/%20/runs'],
        ['getRun', undefined, 'projects/F/threads/%20/runs/%20'],
        ['submitToolOutputs', 'POST', 'projects/F/threads/%20/runs/%20/tool-outputs'],
        ['createThread', 'POST', 'projects/F/threads'],
        ['getThread', undefined, 'projects/F/threads/%20?limit=x&after=x'],
        ['listThreads', undefined, 'projects/F/threads?metadata=x'],
        ['listSteps', undefined, 'projects/F/threads/%20/runs/%20/steps'],
        ['updateThread', 'PATCH', 'projects/F/threads/%20'],
        ['updateRun', 'PATCH', 'projects/F/threads/%20/runs/%20'],
      ] as const
    ).flatMap(([route, method, path]) => [
      {
        name: `${route}: by the token before the project`,
        ...(method && { method, body: badBody }),
        path,
        token: forged,
        response: '401 unauthorized',
      },
      {
        name: `${route}: by the project before ids, body and query`,
        ...(method && { method, body: badBody }),
        path,
        response: '403 access_denied',
      },
    ]),
    {
      name: 'createRun: by the id of the thread before key and body',
      method: 'POST',
      path: 'projects/O/threads/thread-/runs',
      key: 'no key',
      body: badBody,
      response: '404 thread_not_found',
    },
    {
      name: 'createRun: by the key before the thread',
      method: 'POST',
      path: 'projects/O/threads/thread_none/runs',
      key: 'no key',
      body: { message: 'Hello' },
      response: '400 Idempotency-Key',
    },
    {
      name: 'createRun: by the body before the thread',
      method: 'POST',
      path: 'projects/O/threads/thread_none/runs',
      body: badBody,
      response: '400 Message',
    },
    {
      name: 'createRun: by a body that is no JSON before the thread',
      method: 'POST',
      path: 'projects/O/threads/thread_none/runs',
      body: '{',
      response: '400 $',
    },
    {
      name: 'createRun: by the thread',
      method: 'POST',
      path: 'projects/O/threads/thread_none/runs',
      key: 'a-key',
      body: { message: 'Hello' },
      response: '404 thread_not_found',
      reads: 1,
    },
    {
      name: 'getRun: by the id of the thread before that of the run',
      path: 'projects/O/threads/thread-/runs/run-',
      response: '404 thread_not_found',
    },
    {
      name: 'getRun: by the id of the run before the thread',
      path: 'projects/O/threads/thread_none/runs/run-',
      response: '404 run_not_found',
    },
    {
      name: 'getRun: by the thread before the run',
      path: 'projects/O/threads/thread_none/runs/run_none',
      response: '404 thread_not_found',
      reads: 2,
    },
    {
      name: 'getRun: by the run',
      path: 'projects/O/threads/T/runs/run_none',
      response: '404 run_not_found',
      reads: 2,
    },
    {
      name: 'submitToolOutputs: by the ids before the body',
      method: 'POST',
      path: 'projects/O/threads/thread_none/runs/run-/tool-outputs',
      body: { toolOutputs: 7 },
      response: '404 run_not_found',
    },
    {
      name: 'submitToolOutputs: by the body before the thread',
      method: 'POST',
      path: 'projects/O/threads/thread_none/runs/run_none/tool-outputs',
      body: { toolOutputs: 7 },
      response: '400 ToolOutputs',
    },
    {
      name: 'submitToolOutputs: by the thread before the run',
      method: 'POST',
      path: 'projects/O/threads/thread_none/runs/run_none/tool-outputs',
      body: {},
      response: '404 thread_not_found',
      reads: 2,
    },
    {
      name: 'submitToolOutputs: by the run',
      method: 'POST',
      path: 'projects/O/threads/T/runs/run_none/tool-outputs',
      body: {},
      response: '404 run_not_found',
      reads: 2,
    },
    {
      name: 'getThread: by the id of the thread before the limit',
      path: 'projects/O/threads/thread-?limit=x',
      response: '404 thread_not_found',
    },
    {
      name: 'getThread: by the limit before the thread',
      path: 'projects/O/threads/thread_none?limit=x',
      response: '400 Limit',
    },
    {
      name: 'getThread: by the thread before the message to begin after',
      path: 'projects/O/threads/thread_none?after=x',
      response: '404 thread_not_found',
      reads: 1,
    },
    {
      name: 'createThread: by the key before the body',
      method: 'POST',
      path: 'projects/O/threads',
      key: 'no key',
      body: badBody,
      response: '400 Idempotency-Key',
    },
    {
      name: 'createThread: by the body',
      method: 'POST',
      path: 'projects/O/threads',
      key: 'a-key',
      body: badBody,
      response: '400 Message',
    },
    {
      name: 'updateThread: by the id of the thread before the body',
      method: 'PATCH',
      path: 'projects/O/threads/thread-',
      body: badMetadata,
      response: '404 thread_not_found',
    },
    {
      name: 'updateThread: by the body before the thread',
      method: 'PATCH',
      path: 'projects/O/threads/thread_none',
      body: badMetadata,
      response: '400 Metadata',
    },
    {
      name: 'updateThread: by the thread',
      method: 'PATCH',
      path: 'projects/O/threads/thread_none',
      body: { metadata: {} },
      response: '404 thread_not_found',
      reads: 1,
    },
    {
      name: 'updateRun: by the id of the run before the body',
      method: 'PATCH',
      path: 'projects/O/threads/thread_none/runs/run-',
      body: badMetadata,
      response: '404 run_not_found',
    },
    {
      name: 'updateRun: by the body before the thread',
      method: 'PATCH',
      path: 'projects/O/threads/thread_none/runs/run_none',
      body: badMetadata,
      response: '400 Metadata',
    },
    {
      name: 'updateRun: by the run',
      method: 'PATCH',
      path: 'projects/O/threads/T/runs/run_none',
      body: { metadata: {} },
      response: '404 run_not_found',
      reads: 2,
    },
    {
      name: 'listSteps: by the id of the run before the thread',
      path: 'projects/O/threads/thread_none/runs/run-/steps',
      response: '404 run_not_found',
    },
    {
      name: 'listSteps: by the run',
      path: 'projects/O/threads/T/runs/run_none/steps',
      response: '404 run_not_found',
      reads: 3,
    },
    {
      name: 'listRuns: by the metadata before the thread',
      path: 'projects/O/threads/thread_none/runs?metadata=x',
      response: '400 Metadata',
    },
    {
      name: 'getThread: by the message to begin after',
      path: 'projects/O/threads/T?after=x',
      response: '400 After',
      reads: 1,
    },
  ];

  test.each(refusals)('$name, and nothing later is asked or written', async (refusal) => {
    const { path, method = 'GET', key, token, response: expected, reads = 0 } = refusal;
    const filled = path.replace('/O/', `/${own}/`).replace('/F/', `/${foreign}/`).replace('/T', `/${thread}`);
    const { status, body } = await t.call(filled, {
      method,
      token: token ?? (await t.issuer.sign({ projects: [own] })),
      ...('body' in refusal && { body: refusal.body }),
      headers: key === undefined ? {} : { 'Idempotency-Key': key },
    });
    expect([status, body.code ?? Object.keys(body.errors).join()].join(' ')).toBe(expected);
    expect(await t.engine.calls()).toEqual([]);
    const { roundTrips } = t.store;
    expect(roundTrips.filter((kind) => kind !== 'read' && kind !== 'query')).toEqual([]);
    // A worker remembers a project for 30 s, so its read may or may not be among these.
    const ofProject = status === 401 ? 0 : 1;
    expect(roundTrips.length).toBeGreaterThanOrEqual(reads);
    expect(roundTrips.length).toBeLessThanOrEqual(reads + ofProject);
  });
});
