import { parseArgs } from 'node:util';
import { explainFailure } from '../local/explain.ts';
import { findSettings } from '../local/localSettings.ts';
import { type Config, ConfigError, parseConfig } from '../shared/config.ts';
import { AppError } from '../shared/errors.ts';
import { CheckError, createChecklist } from './checks/checklist.ts';
import { checkEngine } from './checks/engineChecks.ts';
import { checkIssuer } from './checks/issuerChecks.ts';
import { checkStorage } from './checks/storageChecks.ts';

/*
 * `npm run doctor`: tries what the service needs of its issuer, storage and engine, one by one, and says what to check
 * where something fails. Uses the settings of the environment, of the service that runs on this machine, and of
 * `local.settings.json`. Exit codes: 0 all checks passed, 1 some failed or could not be tried.
 */

async function main(config: Config, callMs: number): Promise<number> {
  const list = createChecklist((error) => toCheckError(error, config));
  await checkIssuer(list, config.jwt);
  const projects = await checkStorage(list, config);
  await checkEngine(list, config, projects, callMs);
  console.log(`\n${list.passed} checks passed, ${list.failures.length} failed.`);
  return list.failures.length > 0 ? 1 : 0;
}

function toCheckError(error: unknown, config: Config): CheckError {
  const explanation = explainFailure(error, config);
  if (explanation) return new CheckError(explanation.why, { advice: explanation.check });
  const { name, message } = error as Error;
  return new CheckError(error instanceof AppError ? error.code : `${name}: ${message}`);
}

const usage = `Usage: npm run doctor -- [--timeout SECONDS]
  --timeout SECONDS   longest time for one call of the engine, 20 by default`;

/** Timeout of a call of the engine, in milliseconds. @throws {Error} with the usage. */
function parseTimeout(): number {
  const { values } = parseArgs({ options: { timeout: { type: 'string', default: '20' } } });
  if (!/^[1-9]\d{0,3}$/.test(values.timeout)) throw new Error(usage);
  return Number(values.timeout) * 1000;
}

try {
  process.exitCode = await main(parseConfig(findSettings()), parseTimeout());
} catch (error) {
  console.error((error as Error).message);
  if (error instanceof ConfigError) console.error('\ndocs/configuration.md describes the settings.');
  process.exitCode = 1;
}
