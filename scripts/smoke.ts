import { parseArgs } from 'node:util';
import { createChecklist } from './checks/checklist.ts';
import { checkService } from './checks/serviceChecks.ts';

/*
 * `npm run smoke -- --base-url URL --project ID [--token T]`: tests a running service with one conversation.
 * Without --token, uses SMOKE_TOKEN, which is not visible in process lists. Prints each step with its duration. Exit
 * codes: 0 passed, 1 failed, 2 usage error, 75 temporary failure (EX_TEMPFAIL of sysexits.h).
 */

const { values } = parseArgs({
  options: { 'base-url': { type: 'string' }, token: { type: 'string' }, project: { type: 'string' } },
});
const { project } = values;
const token = values.token ?? process.env['SMOKE_TOKEN'];
const baseUrl = values['base-url']?.replace(/\/+$/, '').replace(/\/api$/, '');
if (!baseUrl || !token || !project) {
  console.error(
    'Usage: npm run smoke -- --base-url URL --project ID [--token TOKEN | SMOKE_TOKEN in the environment]',
  );
  process.exit(2);
}

const list = createChecklist();
await checkService(list, { baseUrl, token, project });
const [failure] = list.failures;
if (failure) process.exitCode = failure.temporary ? 75 : 1;
