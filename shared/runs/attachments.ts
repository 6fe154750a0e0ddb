import { AppError, fieldError } from '../errors.ts';
import { type Attachment, isImage, type StoredFile } from '../model/file.ts';
import type { InputMessage, InputPart, NewMessage } from '../model/newMessage.ts';
import { maxCodeFiles } from '../model/toolResources.ts';
import type { RunServices } from './runServices.ts';

/**
 * Finds the files that a message carries.
 * @throws {AppError} file_not_found when one of them is not, or no longer, a file of the project.
 */
export const findAttachments = (
  services: RunServices,
  projectId: string,
  fileIds: readonly string[],
): Promise<StoredFile[]> => Promise.all(fileIds.map((fileId) => findFile(services, projectId, fileId)));

/**
 * Finds the files of messages that the model reads, their images included.
 * @throws {AppError} as {@link findAttachments}; invalid_request for an image that is another file.
 */
export const findMessageFiles = (
  services: RunServices,
  projectId: string,
  messages: readonly NewMessage[],
): Promise<InputMessage[]> =>
  Promise.all(
    messages.map(async ({ role, parts, attachments = [] }) => {
      const read = attachments.filter(({ searched }) => !searched);
      const all = [...parts, ...read.map(({ fileId }) => ({ type: 'file', fileId }) as const)];
      const found = all.map(async (part): Promise<InputPart> => {
        if (part.type === 'text' || part.type === 'image_url') return part;
        const file = await findFile(services, projectId, part.fileId);
        if (part.type === 'file') return { type: 'file', file };
        if (!isImage(file.mediaType)) {
          throw fieldError('ImageFile', 'The field ImageFile must be the id of an image.');
        }
        return { type: 'file', file, ...(part.detail && { detail: part.detail }) };
      });
      return { role, parts: await Promise.all(found) };
    }),
  );

/** Finds files of code interpreters. Those that have been deleted since are left out. */
export async function findCodeFiles(
  services: RunServices,
  projectId: string,
  fileIds: readonly string[],
): Promise<Attachment[]> {
  const found = await Promise.all(fileIds.map((fileId) => services.files.find({ projectId, fileId })));
  return found.filter((file) => file !== undefined);
}

/** Returns the ids of the files that messages bring for the thread's code interpreters. */
export const codeFilesOf = (messages: readonly NewMessage[]): string[] =>
  messages.flatMap(({ attachments = [] }) =>
    attachments.filter(({ tools }) => tools.includes('code_interpreter')).map(({ fileId }) => fileId),
  );

/** Returns ids without repetition. @throws {AppError} invalid_request for more than a thread can have. */
export function checkCodeFiles(fileIds: readonly string[]): string[] {
  const unique = [...new Set(fileIds)];
  if (unique.length > maxCodeFiles) {
    throw fieldError('ToolResources', `The field ToolResources must name at most ${maxCodeFiles} files.`);
  }
  return unique;
}

async function findFile({ files }: RunServices, projectId: string, fileId: string): Promise<StoredFile> {
  const file = await files.find({ projectId, fileId });
  if (!file) throw new AppError('file_not_found', { fileId });
  return file;
}
