import { ConfigError } from './config.ts';
import { AppError } from './errors.ts';

/** Data of a log line: ids, codes, names and counts only; never user content. */
export type LogFacts = Readonly<Record<string, string | number | readonly string[]>>;

/** Describes an error for the log, without its message, which may contain user content. */
export function describeFailure(failure: unknown): LogFacts {
  if (failure instanceof ConfigError) return { issues: failure.issues };
  if (!(failure instanceof AppError)) return { error: causes(failure), stack: frames(failure) };
  return {
    code: failure.code,
    ...failure.options.logged,
    ...(failure.options.cause !== undefined && { error: causes(failure.options.cause) }),
  };
}

/** Joins names, codes and statuses along the chain of causes: `APIConnectionError < TypeError < Error ECONNREFUSED`. */
function causes(error: unknown, depth = 0): string {
  if (!(error instanceof Error) || depth > 4) return '';
  const { code, status, statusCode, cause } = error as Error & Record<string, unknown>;
  const facts = [status ?? statusCode, code].filter((fact) => /^[\w.-]{1,64}$/.test(String(fact ?? '')));
  const next = causes(cause, depth + 1);
  return [error.name, ...facts].join(' ') + (next && ` < ${next}`);
}

/** Returns the first stack frames, without the message. */
const frames = (error: unknown): string[] =>
  error instanceof Error
    ? (error.stack ?? '')
        .split('\n')
        .filter((line) => line.startsWith('    at '))
        .slice(0, 8)
    : [];
