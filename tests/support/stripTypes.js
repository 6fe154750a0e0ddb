import { stripTypeScriptTypes } from 'node:module';

/** Jest's transform: Node's own type stripping, the same that runs the sources elsewhere, so lines keep their numbers. */
export default {
  process: (source) => ({ code: stripTypeScriptTypes(source) }),
};
