import { ConfigError, parseConfig } from '../shared/config.ts';
import { applyDemo, demoProjectId, demoThreadId, signDemoToken } from './demo/demo.ts';
import { localFolder, projectFolder, startDevServices } from './devServices.ts';
import { type Host, startHost } from './host/host.ts';

/* `npm start`: runs the service and everything it depends on locally. */

const port = Number(process.env['PORT'] || 7071);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  console.error('PORT must be an integer from 0 to 65535.');
  process.exit(1);
}

async function start(): Promise<void> {
  const devServices = await startDevServices(process.env).catch((error) => {
    console.error(explain(error));
    process.exit(1);
  });
  Object.assign(process.env, devServices.settings);
  let host: Host | undefined;
  const stop = async (code: number) => {
    await host?.close();
    await devServices.close();
    process.exit(code);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop(0));
  stopWithParent(() => void stop(0));
  try {
    await applyDemo(parseConfig(process.env));
    host = await startHost({ folder: projectFolder, port, everyOrigin: true, maxBodyBytes: 8 * 1024 * 1024 });
    const token = devServices.signer ? await signDemoToken(devServices.signer) : undefined;
    console.log(welcome(host.url, token));
  } catch (error) {
    console.error(explain(error));
    await stop(1);
  }
}

/** Stops with the parent process: npm sends signals only to its shell, which does not forward them. */
function stopWithParent(stop: () => void): void {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop();
  }, 250).unref();
}

function explain(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return `Port ${port} is in use; choose another: PORT=7080 npm start`;
  return `The service did not start: ${message}`;
}

function welcome(url: string, token: string | undefined): string {
  const thread = `${url}/api/projects/${demoProjectId}/threads/${demoThreadId}`;
  const authorization = `-H "Authorization: Bearer ${token ?? '$TOKEN'}"`;
  const question = '{"message": "Can you help me understand the authentication flow in this project?"}';
  const file = `/tmp/run-${new URL(url).port}.json`;
  const lastRun = `$(grep -o "run_[a-z0-9]*" ${file} | head -n 1)`;
  return `
The thread-run service is listening at ${url}

${token ? `A token for the demo project, valid for 24 hours (npm run token prints more):\n\n${token}` : 'Set TOKEN to a token from your issuer.'}

Start a run, check its status, read the reply:

curl -s -X POST ${thread}/runs ${authorization} -H "Content-Type: application/json" -d '${question}' | tee ${file}

curl -s ${thread}/runs/${lastRun} ${authorization}

curl -s ${thread} ${authorization}

Press Ctrl-C to stop. Data is kept in ${localFolder}.
`;
}

await start();
