/** Returns a form with one file in its field `file`. */
export function fileForm(
  name: string,
  content: string | Uint8Array,
  type = 'application/octet-stream',
): FormData {
  const form = new FormData();
  form.set('file', new File([content as string], name, { type }));
  return form;
}

/** A PNG image of one pixel. */
export const pixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
