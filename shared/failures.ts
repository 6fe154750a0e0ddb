import { ConfigError } from './config.ts';
import { AppError } from './errors.ts';

/** What goes into a line of the log: ids, codes, names and counts only; nothing of what people wrote. */
export type LogFacts = Readonly<Record<string, string | number | readonly string[]>>;

/** What an error may tell a log: no message, any may hold what people wrote. */
export function describeFailure(failure: unknown): LogFacts {
  if (failure instanceof ConfigError) return { issues: failure.issues };
  if (!(failure instanceof AppError)) return { error: causes(failure), stack: frames(failure) };
  return {
    code: failure.code,
    ...(failure.options.cause !== undefined && { error: causes(failure.options.cause) }),
  };
}

/** Names, codes and statuses down the chain of causes, such as `APIConnectionError < TypeError < ECONNREFUSED`. */
function causes(error: unknown, depth = 0): string {
  if (!(error instanceof Error) || depth > 4) return '';
  const { code, status, statusCode, cause } = error as Error & Record<string, unknown>;
  const facts = [status ?? statusCode, code].filter((fact) => /^[\w.-]{1,64}$/.test(String(fact ?? '')));
  const next = causes(cause, depth + 1);
  return [error.name, ...facts].join(' ') + (next && ` < ${next}`);
}

/** Where it was thrown, without the message in front. */
const frames = (error: unknown): string[] =>
  error instanceof Error
    ? (error.stack ?? '')
        .split('\n')
        .filter((line) => line.startsWith('    at '))
        .slice(0, 8)
    : [];
