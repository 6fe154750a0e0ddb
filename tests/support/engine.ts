import { projectFolder, startProcess } from './process.ts';

/** A response as the engine's control API lists it: what the engine was really asked. */
export interface EngineRun {
  readonly id: string;
  readonly conversation: string | null;
  readonly status: string;
  readonly metadata: Record<string, string>;
  readonly instructions: string | null;
  readonly inputText: string;
  readonly model: string;
}

export interface TestEngine {
  /** What OPENAI_BASE_URL is. */
  readonly url: string;
  fault(
    match: { method: string; path: string },
    fault: Record<string, unknown>,
    times?: number | null,
  ): Promise<void>;
  outcome(outcome: Record<string, unknown>, times?: number): Promise<void>;
  timing(timing: { queueMs?: number; runMs?: number }): Promise<void>;
  /** Makes all responses unreadable, as after their retention. */
  forget(): Promise<void>;
  /** Forgets faults, outcomes and recorded calls; conversations and responses stay. */
  reset(): Promise<void>;
  /** Calls since the last reset, such as `POST /v1/responses`. */
  calls(): Promise<string[]>;
  runs(): Promise<EngineRun[]>;
  /** How many clients follow a response right now. */
  openStreams(): Promise<number>;
  close(): Promise<void>;
}

/** The emulator as a process of its own; by default a run is finished by the first look at it. */
export async function startTestEngine(timing = { queueMs: 0, runMs: 0 }): Promise<TestEngine> {
  const emulator = await startProcess('local/emulator/main.ts', [
    ...['--queue-ms', String(timing.queueMs), '--run-ms', String(timing.runMs)],
    ...['--documents-dir', `${projectFolder}local/demo/documents`],
  ]);
  const control = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(new URL(`/control/${path}`, emulator.url), {
      method,
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'Content-Type': 'application/json' },
      }),
    });
    if (!response.ok)
      throw new Error(`the engine's control answered ${response.status} to ${method} ${path}`);
    const text = await response.text();
    return text === '' ? undefined : JSON.parse(text);
  };
  return {
    url: emulator.url,
    fault: (match, fault, times = 1) => control('POST', 'faults', { match, fault, times }),
    outcome: (outcome, times = 1) => control('POST', 'outcomes', { outcome, times }),
    timing: (changed) => control('PATCH', 'timing', changed),
    forget: () => control('POST', 'forget', {}),
    reset: async () => {
      await Promise.all(['faults', 'outcomes', 'calls'].map((part) => control('DELETE', part)));
      await control('PATCH', 'timing', timing);
    },
    calls: async () =>
      (await control('GET', 'calls')).calls.map(
        ({ method, path }: { method: string; path: string }) => `${method} ${path}`,
      ),
    runs: async () => {
      const answer = await control('GET', 'responses');
      return answer.responses ?? answer;
    },
    openStreams: async () => (await control('GET', 'streams')).open,
    close: async () => void (await emulator.stop()),
  };
}
