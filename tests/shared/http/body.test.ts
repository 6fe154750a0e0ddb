import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AppError } from '../../../shared/errors.ts';
import { parseRunInput } from '../../../shared/http/body.ts';
import { createRequest, fieldErrors } from '../../support/parsing.ts';

const ofBody = (body: unknown) =>
  fieldErrors(() =>
    parseRunInput(createRequest({ body: typeof body === 'string' ? body : JSON.stringify(body) })),
  );

const messageRequired = { Message: ['The Message field is required.'] };
const messageTooLong = { Message: ['The field Message must be a string with a maximum length of 256000.'] };
const instructionsTooLong = {
  Instructions: ['The field Instructions must be a string with a maximum length of 2000.'],
};

describe('the body of a run', () => {
  test.each<[string, unknown, { message: string; instructions: string | null }]>([
    ['a message alone', { message: 'Hello' }, { message: 'Hello', instructions: null }],
    [
      'instructions of null',
      { message: 'Hello', instructions: null },
      { message: 'Hello', instructions: null },
    ],
    ['empty instructions', { message: 'Hello', instructions: '' }, { message: 'Hello', instructions: '' }],
    [
      'both',
      { message: 'Hello', instructions: 'Be brief.' },
      { message: 'Hello', instructions: 'Be brief.' },
    ],
    ['other properties', { message: 'x', assistantId: 'y', 7: [] }, { message: 'x', instructions: null }],
    ['blanks around', { message: ' \n x\t' }, { message: ' \n x\t', instructions: null }],
  ])('is valid with %s', async (_name, body, input) => {
    expect(await parseRunInput(createRequest({ body: JSON.stringify(body) }))).toEqual(input);
  });

  test.each<[string, unknown, unknown]>([
    ['no message', {}, messageRequired],
    ['a message of null', { message: null }, messageRequired],
    ['an empty message', { message: '' }, messageRequired],
    ['a blank message', { message: ' \t\r\n\u00a0\u2003\ufeff' }, messageRequired],
    ['a message in capitals', { Message: 'Hello' }, messageRequired],
    ['a number as message', { message: 7 }, { Message: ['The field Message must be a string.'] }],
    ['a list as message', { message: ['x'] }, { Message: ['The field Message must be a string.'] }],
    [
      'an object as instructions',
      { message: 'x', instructions: {} },
      { Instructions: ['The field Instructions must be a string.'] },
    ],
    [
      'half a surrogate pair in the message',
      '{"message":"\\ud83d"}',
      { Message: ['The field Message must be well-formed Unicode text.'] },
    ],
    [
      'half a surrogate pair in the instructions',
      '{"message":"x","instructions":"\\ude00\\ud83d"}',
      { Instructions: ['The field Instructions must be well-formed Unicode text.'] },
    ],
    ['faults in both', { instructions: 'x'.repeat(2001) }, { ...messageRequired, ...instructionsTooLong }],
    ['null', null, { $: ['The request body must be a JSON object.'] }],
    ['a list', [{ message: 'x' }], { $: ['The request body must be a JSON object.'] }],
    ['text', '"message"', { $: ['The request body must be a JSON object.'] }],
    ['a number', 7, { $: ['The request body must be a JSON object.'] }],
    ['no body', '', messageRequired],
    ['half a body', '{"message":"x"', { $: ['The request body must be valid JSON.'] }],
    ['a form', 'message=x', { $: ['The request body must be valid JSON.'] }],
  ])('is not valid with %s, in the words of the contract', async (_name, body, errors) => {
    expect(await ofBody(body)).toEqual(errors);
  });

  test.each([
    ['message', 256_000, messageTooLong],
    ['instructions', 2_000, instructionsTooLong],
  ])(
    'has at most so many characters of %s, whatever plane of Unicode they are of',
    async (name, most, errors) => {
      for (const character of ['x', 'é', '漢', '😀', '\u{10ffff}']) {
        const body = (length: number) => ({ message: 'x', [name]: character.repeat(length) });
        expect([character, await ofBody(body(most))]).toEqual([character, 'valid']);
        expect([character, await ofBody(body(most + 1))]).toEqual([character, errors]);
      }
    },
  );

  test('that is no JSON is not repeated anywhere in the error', async () => {
    const error = await parseRunInput(createRequest({ body: '{"canary' })).catch((thrown: unknown) => thrown);
    expect(JSON.stringify([String(error), error])).not.toContain('canary');
    expect(error).not.toHaveProperty('options.cause');
  });

  test('is either taken as it is or refused by field, whatever JSON it is', async () => {
    const codeUnit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
    const text = fc.oneof(
      fc.string({ unit: codeUnit, maxLength: 20 }),
      fc.constantFrom('', ' ', 'x'.repeat(2001)),
    );
    const value = fc.oneof(text, fc.jsonValue());
    const body = fc.oneof(
      fc.jsonValue(),
      fc.record({ message: value, instructions: value, other: fc.jsonValue() }, { requiredKeys: [] }),
      fc.dictionary(fc.constantFrom('message', 'Message', '__proto__', 'constructor', 'toString', ''), value),
    );
    await fc.assert(
      fc.asyncProperty(body, async (sent) => {
        const outcome = await parseRunInput(createRequest({ body: JSON.stringify(sent) })).catch(
          (error) => error,
        );
        if (!(outcome instanceof Error)) {
          const { message, instructions = null } = JSON.parse(JSON.stringify(sent));
          expect(outcome).toEqual({ message, instructions });
          expect(outcome.message.trim()).not.toBe('');
          return;
        }
        expectFieldErrors(outcome);
      }),
      { numRuns: 500 },
    );
  });

  test('is either taken or refused by field, whatever bytes it is', async () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.uint8Array().map((noise) => Buffer.concat([Buffer.from('{"message":"'), noise, Buffer.from('"}')])),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (body) => {
        const outcome = await parseRunInput(createRequest({ body })).catch((error) => error);
        if (outcome instanceof Error) expectFieldErrors(outcome);
        else expect(outcome.message.isWellFormed()).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('may be nested deeper than any stack', async () => {
    const nested = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    expect(await ofBody(nested)).toEqual({ $: [expect.any(String)] });
    expect(await ofBody(`{"message":"x","other":${nested}}`)).toEqual('valid');
  });
});

function expectFieldErrors(error: unknown): void {
  expect(error).toBeInstanceOf(AppError);
  expect(error).toMatchObject({ code: 'invalid_request' });
  const fields = Object.entries((error as AppError).options.fieldErrors ?? {});
  expect(fields.length).toBeGreaterThan(0);
  for (const [field, errors] of fields) {
    expect(field).toMatch(/^(\$|Message|Instructions)$/);
    expect(errors.length).toBeGreaterThan(0);
    for (const text of errors) expect(text).toMatch(/^The .+\.$/);
    expect(new Set(errors).size).toBe(errors.length);
  }
}
