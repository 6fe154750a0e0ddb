import type { Exchange } from './exchange.ts';

/** Returns a request as a command for a shell, with `$TOKEN` for the token. */
export function toCurl({ method, url, headers, body }: Exchange): string {
  const isForm = typeof body === 'object';
  const parts = [
    `curl -s${isEvents(url) ? 'N' : ''}${method === 'GET' || method === 'POST' ? '' : ` -X ${method}`}`,
    quote(url),
    '-H "Authorization: Bearer $TOKEN"',
    ...headers
      // A shell's curl sends its own; that of a form has a boundary.
      .filter(([name]) => name !== 'accept' && !(isForm && name === 'content-type'))
      .map(([name, value]) => `-H ${quote(`${titleCase(name)}: ${value}`)}`),
    ...(method === 'POST' && body === undefined ? ["-d ''"] : []),
    ...(typeof body === 'string' ? [`-d ${quote(body)}`] : []),
    ...(isForm ? [`-F ${quote(`file=@"${body.file.replace(/["\\]/g, '\\$&')}"`)}`] : []),
  ];
  return parts.join(' \\\n  ');
}

const isEvents = (url: string): boolean => url.endsWith('/events');

/** Quotes a text for a POSIX shell. */
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const titleCase = (name: string): string => name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase());
