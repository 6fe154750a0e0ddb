import { parseArgs } from 'node:util';
import { demoProjectId } from './demo/demo.ts';
import { signToken } from './issuer.ts';
import { findSigner } from './surroundings.ts';

/* `npm run token -- --project ID [--project ID …] [--sub S] [--expires-in SECONDS]`: prints a token of the local issuer. */

const { values } = parseArgs({
  options: {
    project: { type: 'string', multiple: true, default: [demoProjectId] },
    sub: { type: 'string', default: 'demo-user' },
    'expires-in': { type: 'string', default: '86400' },
  },
});
const signer = await findSigner();
const seconds = Number(values['expires-in']);
if (!signer) {
  console.error('There is no local issuer yet: run "npm start" once in this folder.');
  process.exitCode = 1;
} else if (!Number.isInteger(seconds)) {
  console.error('--expires-in must be a whole number of seconds (a negative one gives an expired token).');
  process.exitCode = 1;
} else {
  const projects = values.project.filter((project) => project !== '');
  console.log(await signToken(signer, { sub: values.sub, projects }, seconds));
}
