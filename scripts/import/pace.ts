import { setTimeout as wait } from 'node:timers/promises';
import { AppError } from '../../shared/errors.ts';

type Send = <T>(call: () => Promise<T>) => Promise<T>;

/** Makes calls of the engine when its rate limit allows. */
export interface Pace {
  /** Makes a call that must not be executed twice: again only if the engine has refused it because of a rate limit. */
  readonly once: Send;
  /** Makes a call that may be executed twice: again also if its outcome is unknown. */
  readonly repeatedly: Send;
}

/** How long to wait if the engine does not say, in seconds. */
const defaultSeconds = 5;

/** Maximum number of times that one call is refused because of a rate limit. */
const maxRefusals = 20;

/** How long to wait after failures of a call that may be repeated, in milliseconds. */
const repetitionMs = [500, 2_000];

/**
 * Lets all calls wait as long as the engine asks for after refusing one of them because of a rate limit.
 * @param say reports a wait in seconds.
 */
export function createPace(say: (seconds: number) => void): Pace {
  let notBefore = 0;
  const once: Send = async (call) => {
    for (let refusals = 1; ; refusals++) {
      // Another call may have been refused meanwhile.
      while (notBefore > Date.now()) await wait(notBefore - Date.now());
      try {
        return await call();
      } catch (error) {
        const limited = error instanceof AppError && error.code === 'rate_limited';
        if (!limited || refusals === maxRefusals) throw error;
        const seconds = Math.ceil(error.options.retryAfterSeconds ?? defaultSeconds);
        if (Date.now() + seconds * 1000 <= notBefore) continue;
        notBefore = Date.now() + seconds * 1000;
        say(seconds);
      }
    }
  };
  return {
    once,
    async repeatedly(call) {
      for (const ms of repetitionMs) {
        try {
          return await once(call);
        } catch (error) {
          if (!(error instanceof AppError && error.code === 'unavailable')) throw error;
          await wait(ms);
        }
      }
      return once(call);
    },
  };
}
