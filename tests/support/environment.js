import { createRequire } from 'node:module';
import { isNativeError } from 'node:util/types';
import { TestEnvironment } from 'jest-environment-node';

/** Makes `instanceof Error` true for the errors of other realms, too. */
function recognizeErrors(RealmError) {
  Object.defineProperty(RealmError, Symbol.hasInstance, {
    configurable: true,
    value(thrown) {
      const isInstance = Function.prototype[Symbol.hasInstance].call(this, thrown);
      return isInstance || (this === RealmError && isNativeError(thrown));
    },
  });
}

recognizeErrors(Error);

/**
 * Jest's environment for Node.js. Its global `requireNatively` loads a module outside of the test file's own realm: once
 * in a worker instead of once a file, and from Node's cache of compiled code.
 */
export default class SharingEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    recognizeErrors(this.global.Error);
    this.global.requireNatively = createRequire(import.meta.url);
  }
}
