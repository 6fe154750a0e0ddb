import type { Annotation } from '../model/message.ts';
import { toGeneratedFileId } from './fileId.ts';
import type { WireAnnotation, WireAttachment, WireContent } from './wire.ts';

/** What a reply of the assistant consists of. */
export interface ReplyContent {
  readonly content: WireContent[];
  /** The files that a code interpreter made. */
  readonly attachments: WireAttachment[];
}

/** What is inserted where a reply cites a file. In the original, the model wrote it. */
export const toMarker = (index: number): string => `【0:${index}†source】`;

/**
 * Returns the text of a reply with its annotations, followed by the images that a code interpreter made. The engine tells
 * where a citation belongs only, but clients replace the annotation's text in the value: so a marker is inserted there.
 */
export function toReplyContent(
  threadId: string,
  text: string,
  annotations: readonly Annotation[],
): ReplyContent {
  const cited = annotations
    .filter((annotation) => annotation.type === 'file_citation')
    .toSorted((one, other) => one.index - other.index)
    .map((annotation, index) => ({
      ...{ annotation, marker: toMarker(index), at: toPosition(text, annotation.index) },
    }));
  let [value, copied] = ['', 0];
  const citations = cited.map(({ annotation, marker, at }): WireAnnotation => {
    value += text.slice(copied, at);
    copied = at;
    const start = value.length;
    value += marker;
    return toCitation(annotation.citedFileId, marker, start);
  });
  value += text.slice(copied);
  const paths = generatedIn(annotations).flatMap((file): WireAnnotation[] => {
    const range = rangeOf(text, file);
    if (!range) return [];
    const { start, end } = toValueRange(range, cited);
    return [toPath(toGeneratedFileId(threadId, file.fileId), value.slice(start, end), start)];
  });
  const ordered = [...citations, ...paths].toSorted((one, other) => one.start_index - other.start_index);
  const images = imagesIn(threadId, annotations);
  return {
    content: [
      ...(text === '' && images.length > 0
        ? []
        : [{ type: 'text' as const, text: { value, annotations: ordered } }]),
      ...images,
    ],
    attachments: [...new Set(generatedIn(annotations).map(({ fileId }) => fileId))].map((fileId) => ({
      file_id: toGeneratedFileId(threadId, fileId),
      tools: [{ type: 'code_interpreter' }],
    })),
  };
}

/** A marker, and where it is in the text. */
export interface Marker {
  readonly at: number;
  readonly marker: string;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Returns where a range of the text is in the value, without the markers at its ends. */
export function toValueRange({ start, end }: Range, markers: readonly Marker[]): Range {
  const lengthOf = (among: readonly Marker[]) => among.reduce((sum, { marker }) => sum + marker.length, 0);
  return {
    start: start + lengthOf(markers.filter(({ at }) => at <= start)),
    end: end + lengthOf(markers.filter(({ at }) => at < end)),
  };
}

type GeneratedFile = Annotation & { type: 'generated_file' };

const generatedIn = (annotations: readonly Annotation[]): GeneratedFile[] =>
  annotations.filter((annotation) => annotation.type === 'generated_file');

/** Returns the images that a code interpreter made, each once. */
export function imagesIn(threadId: string, annotations: readonly Annotation[]) {
  const images = generatedIn(annotations).filter(({ filename }) => /\.(png|jpe?g|gif|webp)$/i.test(filename));
  return [...new Set(images.map(({ fileId }) => fileId))].map((fileId) => ({
    type: 'image_file' as const,
    image_file: { file_id: toGeneratedFileId(threadId, fileId) },
  }));
}

/**
 * Returns where a text links to a generated file: at the path, as in the original, even if the engine means the whole link
 * or counts characters differently. Undefined if the text does not link to it.
 */
export function rangeOf(text: string, { filename, startIndex, endIndex }: GeneratedFile): Range | undefined {
  const path = `sandbox:/mnt/data/${filename}`;
  const within = text.slice(startIndex, endIndex).indexOf(path);
  const start = within === -1 ? text.indexOf(path) : startIndex + within;
  if (start !== -1) return { start, end: start + path.length };
  const isRange = startIndex < endIndex && endIndex <= text.length;
  return isRange ? { start: startIndex, end: endIndex } : undefined;
}

/** Returns a position within a text that splits no character. */
function toPosition(text: string, index: number): number {
  const position = Math.min(Math.max(index, 0), text.length);
  return /[\uDC00-\uDFFF]/.test(text.charAt(position)) ? position + 1 : position;
}

export const toCitation = (fileId: string, marker: string, start: number): WireAnnotation => ({
  type: 'file_citation',
  text: marker,
  start_index: start,
  end_index: start + marker.length,
  file_citation: { file_id: fileId },
});

export const toPath = (fileId: string, path: string, start: number): WireAnnotation => ({
  type: 'file_path',
  text: path,
  start_index: start,
  end_index: start + path.length,
  file_path: { file_id: fileId },
});
