import { servesConsole } from '../shared/config.ts';
import { demoProjectId, demoThreadId } from './demo/demo.ts';
import type { Host } from './host/host.ts';
import type { OwnConfiguration } from './own/configuration.ts';
import { type OwnPaths, shownPath } from './own/files.ts';

const question = 'Can you help me understand the authentication flow in this project?';

/** Returns what `npm start` prints when the service is ready. @param token undefined with an issuer of one's own. */
export function welcome(
  { url, functions }: Host,
  token: string | undefined,
  { state }: OwnConfiguration,
  paths: OwnPaths,
  localFolder: string,
): string {
  const width = Math.max(...functions.map(({ name }) => name.length));
  const listed = functions.map(({ name, trigger }) => `  ${name.padStart(width)}: ${trigger}`);
  const projects = state.projects.map(({ projectId, name }) => `${projectId} (${name})`);
  const console = `The console: ${url}/ ${token ? '(signed in to the demo project)' : '(asks for a token of your issuer)'}`;
  return `
${servesConsole(process.env) ? `${console}\n\n` : ''}The thread-run service is listening at ${url}

Functions:

${listed.join('\n')}

Projects: ${[`${demoProjectId} (the demo)`, ...projects].join(', ')}
Your own are in ${shownPath(paths.projects)}, ${shownPath(paths.assistants)}/ and ${shownPath(paths.documents)}/PROJECT/; changes are applied at once.

Paste these lines into another terminal. They start a run, wait for it and read the thread with the reply.
${token ? 'The token is for the demo project and valid for 24 hours; npm run token prints others.' : 'Set TOKEN to a token from your issuer.'}

${pastedLines(url, token).join('\n')}

Press Ctrl-C to stop. Data is kept in ${localFolder}.
`;
}

/** Returns the lines to paste. The last prints the thread with the reply. They have no comments, which zsh refuses. */
function pastedLines(url: string, token: string | undefined): string[] {
  const thread = `${url}/api/projects/${demoProjectId}/threads/${demoThreadId}`;
  const authorization = '-H "Authorization: Bearer $TOKEN"';
  const file = `/tmp/run-${new URL(url).port}.json`;
  // Each wait ends with the next change: the first when the run is in progress, if it was not yet, the second at its end.
  const wait = `curl -s "${thread}/runs/$RUN?wait=60" ${authorization}`;
  return [
    ...(token === undefined ? [] : [`export TOKEN=${token}`]),
    `curl -s ${thread}/runs ${authorization} -H "Content-Type: application/json" -d '{"message": "${question}"}' | tee ${file}`,
    `RUN=$(grep -o 'run_[a-z0-9]*' ${file} | head -n 1)`,
    wait,
    wait,
    `curl -s ${thread} ${authorization}`,
  ];
}
