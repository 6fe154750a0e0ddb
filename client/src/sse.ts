/** An event of a stream (HTML, section 9.2.6). */
export interface StreamEvent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: string;
}

/** Returns a parser of one stream: give it the bytes in any pieces, and it returns the events that they complete. */
export function createEventParser(): (bytes: Uint8Array) => StreamEvent[] {
  // Removes a byte order mark, and keeps the first bytes of a character until the others arrive.
  const decoder = new TextDecoder();
  let rest = '';
  let afterReturn = false;
  let id: string | undefined;
  let event = '';
  let data: string[] = [];

  return (bytes) => {
    let text = decoder.decode(bytes, { stream: true });
    if (text === '') return [];
    // A line may end in CRLF, whose halves may arrive apart. The line is not held back until the second half is there.
    if (afterReturn && text.startsWith('\n')) text = text.slice(1);
    afterReturn = text.endsWith('\r') || (afterReturn && text === '');
    const lines = (rest + text).split(/\r\n|\r|\n/);
    rest = lines.pop() ?? '';
    const events: StreamEvent[] = [];
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) events.push({ id, event: event || 'message', data: data.join('\n') });
        event = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') data.push(value);
      else if (field === 'event') event = value;
      else if (field === 'id' && !value.includes('\0')) id = value;
    }
    return events;
  };
}
