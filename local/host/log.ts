import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { styleText } from 'node:util';

/*
 * The log of the local host: a line of JSON each, or a line to read where a person watches.
 */

/** Writes a line to the log. A message that is a JSON object adds its properties to the line. */
export function writeLog(level: string, message: string): void {
  const line = JSON.stringify({ level, ...(parseObject(message) ?? { message }) });
  console.error(hasReader() ? toReadableLine(line) : line);
}

/** Returns whether the log goes to a terminal. Never in a worker, whose host passes its lines on. */
export const hasReader = (): boolean => process.stderr.isTTY === true;

/** Passes a worker's output on to a terminal, line by line. */
export function showLines(output: Readable): void {
  createInterface({ input: output }).on('line', (line) => console.error(toReadableLine(line)));
}

/** Returns a log line for a terminal: time, level unless it is the usual one, what happened, and the other facts. */
export function toReadableLine(line: string, now = new Date()): string {
  const facts = parseObject(line);
  if (!facts) return line;
  const {
    level,
    function: functionName,
    method,
    path,
    status,
    durationMs,
    event,
    message,
    ...others
  } = facts;
  const happened = [
    method ?? functionName,
    path,
    event,
    message,
    status,
    durationMs === undefined ? undefined : `${durationMs} ms`,
  ];
  const rest = Object.entries(others).map(([name, value]) => `${name}=${toText(value)}`);
  return [
    now.toTimeString().slice(0, 8),
    shown(level),
    ...happened,
    rest.length > 0 ? styleText('dim', rest.join(' ')) : '',
  ]
    .filter((part) => part !== undefined && part !== '')
    .map(toText)
    .join(' ');
}

const usualLevels: unknown[] = [undefined, 'information', 'info', 'log'];

const shown = (level: unknown): string | undefined =>
  usualLevels.includes(level) ? undefined : styleText(level === 'error' ? 'red' : 'yellow', String(level));

const toText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function parseObject(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
