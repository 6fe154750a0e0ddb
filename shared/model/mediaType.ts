/** Number of bytes from which {@link detectMediaType} recognizes every type but text. */
export const detectionBytes = 512;

/** Images that models can see, by their first bytes. */
const images: readonly { readonly mediaType: string; readonly matches: (head: Buffer) => boolean }[] = [
  { mediaType: 'image/png', matches: (head) => startsWith(head, '\x89PNG\r\n\x1a\n') },
  { mediaType: 'image/jpeg', matches: (head) => startsWith(head, '\xff\xd8\xff') },
  { mediaType: 'image/gif', matches: (head) => startsWith(head, 'GIF87a') || startsWith(head, 'GIF89a') },
  {
    mediaType: 'image/webp',
    matches: (head) => startsWith(head, 'RIFF') && startsWith(head.subarray(8), 'WEBP'),
  },
];

const imageExtensions = ['png', 'jpg', 'jpeg', 'gif', 'webp'];

const office = 'application/vnd.openxmlformats-officedocument.';

/** Office documents: ZIP archives that only their name and their parts tell apart. */
const officeTypes: ReadonlyMap<string, string> = new Map([
  ['docx', `${office}wordprocessingml.document`],
  ['xlsx', `${office}spreadsheetml.sheet`],
  ['pptx', `${office}presentationml.presentation`],
]);

/** First parts of Office documents, as their writers order them. */
const officePart = /^(\[Content_Types\]\.xml|_rels\/|docProps\/|customXml\/|word\/|xl\/|ppt\/)/;

/** Text formats: they have no first bytes in common, so their name tells them apart. */
const textTypes: ReadonlyMap<string, string> = new Map([
  ...types('text/plain', 'txt text log ini conf env toml properties'),
  ...types('text/markdown', 'md markdown'),
  ...types('text/csv', 'csv'),
  ...types('text/tab-separated-values', 'tsv'),
  ...types('text/html', 'html htm'),
  ...types('text/css', 'css'),
  ...types('text/javascript', 'js mjs cjs jsx'),
  ...types('application/json', 'json jsonl ndjson ipynb'),
  ...types('application/xml', 'xml'),
  ...types('application/yaml', 'yaml yml'),
  ...types('application/sql', 'sql'),
  ...types('application/x-tex', 'tex'),
  ...types(
    'text/plain',
    'c cc cpp cs diff go h hpp java kt lua patch php pl ps1 py r rb rs scala sh swift ts tsx vue bicep tf',
  ),
]);

/** Result of {@link detectMediaType}. */
export interface DetectedType {
  readonly mediaType: string;
  /** Whether the rest of the content must be checked too: it is text only if all of it is UTF-8. */
  readonly isText: boolean;
}

/**
 * Detects the media type of a file from its first bytes and, where several types begin alike, its name.
 * @param head the first {@link detectionBytes} bytes, or all of a shorter file.
 * @returns undefined for a type that is not accepted, or that the name contradicts.
 */
export function detectMediaType(head: Buffer, name: string): DetectedType | undefined {
  const extension = /\.([A-Za-z0-9]{1,10})$/.exec(name)?.[1]?.toLowerCase() ?? '';
  const binary = detectBinary(head, extension);
  if (binary) return binary.extensions.includes(extension) ? { ...binary, isText: false } : undefined;
  const mediaType = textTypes.get(extension);
  return mediaType !== undefined && !head.includes(0) ? { mediaType, isText: true } : undefined;
}

/** Returns the media type of an image, by its first bytes; undefined for anything else. */
const detectImage = (head: Buffer): string | undefined =>
  images.find(({ matches }) => matches(head))?.mediaType;

function detectBinary(head: Buffer, extension: string) {
  const image = detectImage(head);
  // An image with the extension of another type of image is common and harmless.
  if (image !== undefined) return { mediaType: image, extensions: imageExtensions };
  if (startsWith(head, '%PDF-')) return { mediaType: 'application/pdf', extensions: ['pdf'] };
  if (!startsWith(head, 'PK\x03\x04')) return undefined;
  // The name of the first entry follows the fixed part of the archive's first header.
  const part = head.subarray(30, 30 + head.readUInt16LE(26)).toString('latin1');
  return officePart.test(part)
    ? { mediaType: officeTypes.get(extension) ?? '', extensions: [...officeTypes.keys()] }
    : { mediaType: '', extensions: [] };
}

const startsWith = (head: Buffer, signature: string): boolean =>
  head.subarray(0, signature.length).toString('latin1') === signature;

function types(mediaType: string, extensions: string): [string, string][] {
  return extensions.split(' ').map((extension) => [extension, mediaType]);
}
