import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createEventParser, type StreamEvent } from '../../client/src/sse.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const parse = (...pieces: Uint8Array[]): StreamEvent[] => pieces.flatMap(createEventParser());

describe('a parser of event streams', () => {
  test.each<[string, string, StreamEvent[]]>([
    [
      'joins several lines of data',
      'data: a\ndata:b\ndata\n\n',
      [{ id: undefined, event: 'message', data: 'a\nb\n' }],
    ],
    ['removes one space only', 'data:  a \n\n', [{ id: undefined, event: 'message', data: ' a ' }]],
    [
      'ignores comments and unknown fields',
      ': c\n\nretry: 1\nfoo: b\ndata: a\n\n',
      [{ id: undefined, event: 'message', data: 'a' }],
    ],
    [
      'ignores a byte order mark at the start',
      '\uFEFFdata: a\n\n',
      [{ id: undefined, event: 'message', data: 'a' }],
    ],
    [
      'keeps the id and forgets the name',
      'id: 1\nevent: run\ndata: a\n\ndata: b\n\n',
      [
        { id: '1', event: 'run', data: 'a' },
        { id: '1', event: 'message', data: 'b' },
      ],
    ],
    ['ignores an id with a null', 'id: 1\nid: 2\0\ndata: a\n\n', [{ id: '1', event: 'message', data: 'a' }]],
    [
      'drops an event without data',
      'event: run\n\ndata: a\n\n',
      [{ id: undefined, event: 'message', data: 'a' }],
    ],
    [
      'drops an event that does not end',
      'data: a\n\nid: 7\ndata: b\n',
      [{ id: undefined, event: 'message', data: 'a' }],
    ],
    ['keeps colons of values', 'data: a: b\n\n', [{ id: undefined, event: 'message', data: 'a: b' }]],
  ])('%s', (_, text, events) => {
    expect(parse(encode(text))).toEqual(events);
  });

  const value = fc.string({ unit: 'binary' }).map((text) => text.replaceAll(/[\r\n\0]/g, ''));
  const sent = fc.record({
    id: value,
    event: value.filter((text) => text !== ''),
    lines: fc.array(value, { minLength: 1, maxLength: 3 }),
    comment: value,
    end: fc.constantFrom('\n', '\r', '\r\n'),
  });

  test('yields the same events however their bytes are cut and their lines end', () => {
    fc.assert(
      fc.property(
        fc.array(sent, { maxLength: 4 }),
        fc.infiniteStream(fc.nat({ max: 5 })),
        (events, lengths) => {
          const bytes = encode(
            events
              .flatMap(({ id, event, lines, comment, end }) => {
                const fields = [
                  `:${comment}`,
                  `id: ${id}`,
                  `event: ${event}`,
                  ...lines.map((line) => `data: ${line}`),
                ];
                return [...fields, ''].map((line) => line + end);
              })
              .join(''),
          );
          const pieces: Uint8Array[] = [];
          for (let start = 0; start < bytes.length; ) {
            const end = start + (lengths.next().value ?? 1);
            pieces.push(bytes.slice(start, end));
            start = end;
          }
          expect(parse(...pieces)).toEqual(
            events.map(({ id, event, lines }) => ({ id, event, data: lines.join('\n') })),
          );
        },
      ),
    );
  });

  test('delivers an event with the first half of its last line end', () => {
    expect(parse(encode('data: a\r\n\r'))).toEqual([{ id: undefined, event: 'message', data: 'a' }]);
  });
});
