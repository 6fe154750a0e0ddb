import type { EngineStream } from '../engine/engine.ts';

/**
 * Maximum time the stream of a submission is read though nobody follows the run, in milliseconds: if it is closed before
 * the response is in progress, the response may stay queued forever (OpenAI community forum, topic 1382584).
 */
export const holdMs = 15_000;

/** Reads the stream of a submission until the engine works on the response, without looking at its events. */
export async function holdStream(stream: EngineStream): Promise<void> {
  const timer = setTimeout(() => stream.close(), holdMs).unref();
  try {
    for await (const { state } of stream.events) if (state && state.status !== 'queued') break;
  } catch {
    // A broken stream is not resumed: whoever follows the run opens another one.
  }
  clearTimeout(timer);
  stream.close();
}
