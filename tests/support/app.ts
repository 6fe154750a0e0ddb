import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectFolder, startProcess, type TestProcess } from './process.ts';

/** Runs small apps under the local host, for behaviour that no route of the service shows. */
export interface TestApps {
  /**
   * Serves an app in a temporary folder.
   * @param functions the app's code, with `app` of `@azure/functions` and `shared(path)` of this project in scope.
   */
  serve(
    functions: string,
    options?: { host?: object; hostArguments?: readonly string[] },
  ): Promise<TestProcess>;
  close(): Promise<void>;
}

export function createTestApps(): TestApps {
  const folders: string[] = [];
  const hosts: TestProcess[] = [];
  return {
    async serve(functions, { host: settings = {}, hostArguments = [] } = {}) {
      const folder = await mkdtemp(join(tmpdir(), 'app-test-'));
      folders.push(folder);
      const path = (part: string) => JSON.stringify(join(projectFolder, part));
      const code = `
        const { app } = require(${path('node_modules/@azure/functions')});
        const shared = (file) => require(${path('shared/')} + file);
        ${functions}`;
      await Promise.all([
        writeFile(join(folder, 'package.json'), JSON.stringify({ main: 'app.cjs' })),
        writeFile(join(folder, 'host.json'), JSON.stringify({ version: '2.0', ...settings })),
        writeFile(join(folder, 'app.cjs'), code),
      ]);
      const host = await startProcess('local/host/main.ts', ['--folder', folder, ...hostArguments]);
      hosts.push(host);
      return host;
    },
    async close() {
      await Promise.all(hosts.map((host) => host.close()));
      await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
    },
  };
}

/** Code that enables HTTP streaming as the service does; goes after the functions. */
export const streaming = `
  app.setup({ enableHttpStream: true });
  shared('http/programmingModel.ts').guardProgrammingModel();`;

/** Code that enables HTTP streaming without the service's guard. */
export const plainStreaming = 'app.setup({ enableHttpStream: true });';
