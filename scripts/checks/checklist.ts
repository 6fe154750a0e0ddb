import { styleText } from 'node:util';

/** A failed check. `message` says what came back; never with a key, a token or what people wrote. */
export class CheckError extends Error {
  /** What to check, if that is known. */
  readonly advice: string | undefined;
  /** Whether the failure may pass by itself. */
  readonly temporary: boolean;

  constructor(message: string, { advice, temporary = false }: { advice?: string; temporary?: boolean } = {}) {
    super(message);
    this.advice = advice;
    this.temporary = temporary;
  }
}

/** Checks that are run one by one, each with a line of its own. */
export interface Checklist {
  heading(text: string): void;
  /**
   * Runs a check and prints its result.
   * @param asked what is asked for.
   * @returns the result of the work; undefined when it failed.
   */
  check<T>(asked: string, work: () => Promise<T>): Promise<{ readonly value: T } | undefined>;
  /** Prints what works, but perhaps not as it was meant. */
  warn(what: string, explanation: string): void;
  /** Prints that a check cannot be run. */
  skip(asked: string, reason: string): void;
  readonly passed: number;
  /** The errors of failed checks. */
  readonly failures: readonly CheckError[];
}

/** @param toCheckError translates what a check threw. */
export function createChecklist(
  toCheckError: (error: unknown) => CheckError = (error) => new CheckError((error as Error).message),
): Checklist {
  const failures: CheckError[] = [];
  let passed = 0;
  return {
    heading: (text) => console.log(`\n${text}`),
    async check(asked, work) {
      const start = performance.now();
      try {
        const value = await work();
        console.log(
          `${styleText('green', 'ok')}      ${asked} (${Math.round(performance.now() - start)} ms)`,
        );
        passed++;
        return { value };
      } catch (error) {
        const failure = error instanceof CheckError ? error : toCheckError(error);
        failures.push(failure);
        console.log(`${styleText('red', 'FAILED')}  ${asked}: ${failure.message}`);
        if (failure.advice) console.log(`        Check ${failure.advice}`);
        return undefined;
      }
    },
    warn: (what, explanation) =>
      console.log(`${styleText('yellow', 'WARNING')} ${what}\n        ${explanation}`),
    skip: (asked, reason) => console.log(`${styleText('yellow', '-')}       ${asked}: not tried, ${reason}`),
    get passed() {
      return passed;
    },
    failures,
  };
}
