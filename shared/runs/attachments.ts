import { AppError } from '../errors.ts';
import type { Attachment } from '../model/file.ts';
import type { RunServices } from './runServices.ts';

/**
 * Finds the files that a message carries.
 * @throws {AppError} file_not_found when one of them is not, or no longer, a file of the project.
 */
export async function findAttachments(
  { files }: RunServices,
  projectId: string,
  fileIds: readonly string[],
): Promise<Attachment[]> {
  const found = await Promise.all(fileIds.map((fileId) => files.find({ projectId, fileId })));
  return found.map((file) => {
    if (!file) throw new AppError('file_not_found');
    return file;
  });
}
