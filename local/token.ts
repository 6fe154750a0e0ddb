import { parseArgs } from 'node:util';
import { demoProjectId } from './demo/demo.ts';
import { findSigner } from './devServices.ts';
import { signToken } from './issuer.ts';
import { localFolderOf, readLocalSettings } from './localSettings.ts';

/* `npm run token -- --project ID [--project ID …] [--sub S] [--expires-in SECONDS]`: prints a token of the local issuer. */

await main().catch((error) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: joinNegative(process.argv.slice(2)),
    options: {
      project: { type: 'string', multiple: true, default: [demoProjectId] },
      sub: { type: 'string', default: 'demo-user' },
      'expires-in': { type: 'string', default: '86400' },
    },
  });
  if (!/^-?\d+$/.test(values['expires-in'])) {
    throw new Error(
      '--expires-in must be a whole number of seconds (a negative number gives an expired token).',
    );
  }
  const signer = await findSigner(localFolderOf(readLocalSettings()));
  if (!signer) throw new Error('There is no local issuer yet: run "npm start" once in this folder.');
  const projects = values.project.filter((project) => project !== '');
  console.log(await signToken(signer, { sub: values.sub, projects }, Number(values['expires-in'])));
}

/** Joins `--expires-in -10`, which parseArgs refuses as ambiguous, to `--expires-in=-10`. */
function joinNegative(args: readonly string[]): string[] {
  return args.flatMap((arg, index) => {
    if (arg === '--expires-in' && /^-\d+$/.test(args[index + 1] ?? '')) return [];
    return args[index - 1] === '--expires-in' && /^-\d+$/.test(arg) ? [`--expires-in=${arg}`] : [arg];
  });
}
