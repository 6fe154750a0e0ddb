const ignore = (): void => undefined;

/** Settles as a promise does, or rejects with the signal's reason as soon as it aborts. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  if (signal.aborted) {
    promise.catch(ignore);
    return Promise.reject(signal.reason);
  }
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Resolves after some milliseconds. @throws the signal's reason as soon as it aborts. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout>;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return abortable(elapsed, signal).finally(() => clearTimeout(timer));
}

/** A signal that aborts with another one, or when its time is up. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Whether it aborted because the time was up. */
  readonly timedOut: () => boolean;
  /** Ends the time and the dependence on the other signal. */
  readonly clear: () => void;
}

/** Starts a deadline. `AbortSignal.any` and `AbortSignal.timeout` are missing from browsers in use, and cannot be cleared. */
export function startDeadline(ms: number | undefined, parent: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  let timedOut = false;
  const abort = () => controller.abort(parent?.reason);
  if (parent?.aborted) abort();
  else parent?.addEventListener('abort', abort, { once: true });
  const timer =
    ms === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = !controller.signal.aborted;
          controller.abort();
        }, ms);
  return {
    signal: controller.signal,
    timedOut: () => timedOut,
    clear: () => {
      clearTimeout(timer);
      parent?.removeEventListener('abort', abort);
    },
  };
}
