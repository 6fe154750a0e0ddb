/** Returns a time of day with milliseconds, as logs show it. */
export const clock = (at: number | string): string => {
  const date = new Date(at);
  return `${date.toLocaleTimeString('en-GB')}.${String(date.getMilliseconds()).padStart(3, '0')}`;
};

/** Returns when something happened, in the words of a list: a time today, else a date. */
export const day = (at: string): string =>
  dateOf(at) ?? new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });

/** Returns when something happened, to the second; without the date if that is today. */
export const stamp = (at: number | string): string =>
  [dateOf(at), new Date(at).toLocaleTimeString('en-GB')].filter(Boolean).join(' ');

/** Returns a date, with the year if it is another one; undefined for today. */
function dateOf(at: number | string): string | undefined {
  const [date, now] = [new Date(at), new Date()];
  if (date.toDateString() === now.toDateString()) return undefined;
  const isThisYear = date.getFullYear() === now.getFullYear();
  return date.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'short',
    ...(!isThisYear && { year: 'numeric' }),
  });
}

/** Returns a duration, in milliseconds, with a fitting unit. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

export const number = (value: number): string => value.toLocaleString('en-US');

export function bytes(size: number): string {
  if (size < 1024) return `${size} B`;
  return size < 1024 ** 2 ? `${(size / 1024).toFixed(1)} KiB` : `${(size / 1024 ** 2).toFixed(1)} MiB`;
}

/** Returns JSON with indentation; text that is no JSON, as a model may write, unchanged. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Shortens an id in its middle; its end tells ids of the same time apart. */
export const shortId = (id: string): string => (id.length > 20 ? `${id.slice(0, 10)}…${id.slice(-6)}` : id);

/** Returns the beginning of a message as one line. */
export function excerpt(text: string, length = 80): string {
  const line = text.trim().replace(/\s+/g, ' ');
  return line.length > length ? `${line.slice(0, length - 1).trimEnd()}…` : line;
}
