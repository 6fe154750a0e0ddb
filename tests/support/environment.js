import { createRequire } from 'node:module';
import { isDate, isMap, isNativeError, isPromise, isRegExp, isSet } from 'node:util/types';
import { TestEnvironment } from 'jest-environment-node';

const recognizers = {
  Date: isDate,
  Error: isNativeError,
  Map: isMap,
  Promise: isPromise,
  RegExp: isRegExp,
  Set: isSet,
};

/** Makes `instanceof` true for such objects of other realms, too. @param realm the global object of one. */
function recognizeOthers(realm) {
  for (const [name, recognizes] of Object.entries(recognizers)) {
    const type = realm[name];
    Object.defineProperty(type, Symbol.hasInstance, {
      configurable: true,
      value(object) {
        const isInstance = Function.prototype[Symbol.hasInstance].call(this, object);
        return isInstance || (this === type && recognizes(object));
      },
    });
  }
}

recognizeOthers(globalThis);

/**
 * Jest's environment for Node.js. Its global `requireNatively` loads a module outside of the test file's own realm: once
 * in a worker instead of once a file, and from Node's cache of compiled code.
 */
export default class SharingEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    recognizeOthers(this.global);
    this.global.requireNatively = createRequire(import.meta.url);
  }
}
