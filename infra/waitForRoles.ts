import { setTimeout as sleep } from 'node:timers/promises';
import { rolesCountAt, runMain } from './commands.ts';

/*
 * `node infra/waitForRoles.ts`: azd's hook before it uploads the package. The platform stores the package with the app's
 * identity, and refuses it (InaccessibleStorageException) while that identity's role is too new to count; azd does not
 * try again. So the first deployment waits here until its roles are ten minutes old; later ones go straight on.
 */

await runMain(async () => {
  const waitMs = (await rolesCountAt()) - Date.now();
  if (waitMs <= 0) {
    console.log('All roles are old enough to count.');
    return;
  }
  console.log(
    `A new role counts after ten minutes at the latest: waiting ${Math.ceil(waitMs / 1000)} s, this once.`,
  );
  await sleep(waitMs);
});
