import { parseArgs } from 'node:util';
import { isDuration } from './control.ts';
import { type EmulatorOptions, startEmulator } from './emulator.ts';

const emulator = await startEmulator(readFlags());
process.stdout.write(`${JSON.stringify({ url: emulator.url })}\n`);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => emulator.close().then(() => process.exit(0)));
}

function readFlags(): EmulatorOptions {
  const { values } = parseArgs({
    options: {
      port: { type: 'string' },
      'queue-ms': { type: 'string' },
      'run-ms': { type: 'string' },
      'index-ms': { type: 'string' },
      'data-dir': { type: 'string' },
      'documents-dir': { type: 'string' },
      'api-key': { type: 'string' },
    },
  });
  const number = (
    name: 'port' | 'queue-ms' | 'run-ms' | 'index-ms',
    option: 'port' | 'queueMs' | 'runMs' | 'indexMs',
  ) => {
    const text = values[name];
    if (text === undefined) return {};
    if (text === '' || !isDuration(Number(text)))
      throw new Error(`--${name} must be a whole number, not ${text}`);
    return { [option]: Number(text) };
  };
  const { 'data-dir': dataDir, 'documents-dir': documentsDir, 'api-key': apiKey } = values;
  return {
    ...number('port', 'port'),
    ...number('queue-ms', 'queueMs'),
    ...number('run-ms', 'runMs'),
    ...number('index-ms', 'indexMs'),
    ...(dataDir !== undefined && { dataDir }),
    ...(documentsDir !== undefined && { documentsDir }),
    ...(apiKey !== undefined && { apiKey }),
  };
}
