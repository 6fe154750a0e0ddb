import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openMessageId, sealMessageId } from '../../../shared/model/messageId.ts';

const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 1, maxLength: 64 });
const codeUnit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
const itemId = fc.oneof(
  hex.map((digits) => `msg_${digits}`),
  fc.string({ unit: codeUnit, minLength: 1, maxLength: 40 }).map((text) => text.toWellFormed()),
);
const conversationId = hex.map((digits) => `conv_${digits}`);
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('a message id', () => {
  test('leads back to its item in its conversation', () => {
    fc.assert(
      fc.property(conversationId, itemId, (conversation, item) => {
        expect(openMessageId(conversation, sealMessageId(conversation, item))).toBe(item);
      }),
    );
  });

  test('is always the same for an item, and another for another', () => {
    fc.assert(
      fc.property(conversationId, itemId, itemId, (conversation, one, other) => {
        const same = sealMessageId(conversation, one) === sealMessageId(conversation, other);
        expect(same).toBe(one === other);
      }),
    );
  });

  test('fits into an address and shows nothing of what it stands for', () => {
    fc.assert(
      fc.property(conversationId, hex, (conversation, digits) => {
        const id = sealMessageId(conversation, `msg_${digits}`);
        expect(id).toMatch(/^msg_[\w-]+$/);
        // Short texts may occur by chance.
        if (digits.length > 8) expect(id).not.toContain(digits);
      }),
    );
  });

  test('does not open in another conversation', () => {
    fc.assert(
      fc.property(conversationId, conversationId, itemId, (one, other, item) => {
        fc.pre(one !== other);
        expect(openMessageId(other, sealMessageId(one, item))).toBeUndefined();
      }),
    );
  });

  test('does not open when any character of it was changed', () => {
    const change = fc.record({ at: fc.nat(), to: fc.constantFrom(...alphabet) });
    fc.assert(
      fc.property(conversationId, itemId, change, (conversation, item, { at, to }) => {
        const id = sealMessageId(conversation, item);
        const index = at % id.length;
        fc.pre(id[index] !== to);
        const changed = id.slice(0, index) + to + id.slice(index + 1);
        expect(openMessageId(conversation, changed)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test('does not open when something was added or cut off', () => {
    const id = sealMessageId('conv_1', 'msg_1');
    for (const added of ['A', '=', '==', '.', ' ', '\n', '%', 'é']) {
      expect(openMessageId('conv_1', id + added)).toBeUndefined();
      expect(openMessageId('conv_1', added + id)).toBeUndefined();
    }
    for (let length = 0; length < id.length; length++) {
      expect(openMessageId('conv_1', id.slice(0, length))).toBeUndefined();
    }
    expect(openMessageId('conv_1', id)).toBe('msg_1');
  });

  test('does not open when it was invented', () => {
    fc.assert(
      fc.property(
        conversationId,
        fc.oneof(
          fc.string(),
          hex.map((digits) => `msg_${digits}`),
        ),
        (conversation, id) => {
          expect(openMessageId(conversation, id)).toBeUndefined();
        },
      ),
    );
  });
});
