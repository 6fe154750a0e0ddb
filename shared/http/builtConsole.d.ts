/** The console's files, which `scripts/build.ts` bundles into a module of their own. */
declare module 'built-console' {
  /** Text by file name: `index.html`, and assets whose names hold a hash of their content. */
  export const files: Readonly<Record<string, string>>;
}
