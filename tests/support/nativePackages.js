import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * Jest's transform for packages that take long to load: replaces the module that a test file imports by the one that
 * its worker has loaded natively. See `environment.js`.
 */
export default {
  process: (_source, path, { supportsStaticESM }) => {
    const loaded = `requireNatively(${JSON.stringify(path)})`;
    if (!supportsStaticESM) return { code: `module.exports = ${loaded};` };
    const names = Object.keys(require(path)).filter((name) => /^\w+$/.test(name));
    const lines = names.map((name, index) => `const export${index} = loaded.${name};`);
    const list = names.map((name, index) => `export${index} as ${name}`);
    return { code: `const loaded = ${loaded};\n${lines.join('\n')}\nexport { ${list.join(', ')} };` };
  },
};
