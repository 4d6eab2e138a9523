// For `sluice check`: finds every mistake in the files and settings that identify senders, as the forwarder would at
// its start.

import type { Config } from '#shared/config/settings.ts';
import type { ReadFile } from '#shared/config/yaml-file.ts';
import { SluiceError } from '#shared/errors.ts';
import { loadAdmission } from './admission.ts';
import { exemptNetworks } from './address-rates.ts';
import { INPUT_LISTENERS, admittedExposures } from './exposure.ts';
import { checkTls } from './tls.ts';
import { loadTokens } from './tokens.ts';

/** Throws config_invalid, a line for each mistake. */
export function checkEdge(config: Config, readFile: ReadFile): void {
  const mistakes: string[] = [];
  const checks = [
    () => checkSenders(config, readFile),
    () => checkTls(config),
    () => exemptNetworks(config),
    () => admittedExposures(config, [...INPUT_LISTENERS, 'admin.listen', 'lag.listen', 'read.listen']),
  ];
  for (const check of checks) {
    try {
      check();
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      mistakes.push(error.message);
    }
  }
  if (mistakes.length > 0) throw new SluiceError('config_invalid', mistakes.join('\n'));
}

/** The tokens name tenants, so these come first. */
function checkSenders(config: Config, readFile: ReadFile): void {
  const { tenants } = loadAdmission(config, readFile);
  const path = config['http.tokens'];
  if (path !== undefined) loadTokens(path, tenants, readFile);
}
