// Has the running process do something (AdminAction): posts what is wanted, and gives the lines of its answer.

import { createInterface } from 'node:readline';
import type { Config } from '#shared/config/settings.ts';
import { SluiceError } from '#shared/errors.ts';
import { askAdmin } from './ask.ts';

interface WantedAction {
  readonly path: string;
  /** For messages: "Cannot <what>: …". */
  readonly what: string;
  /** Sent as JSON. */
  readonly body: unknown;
  readonly signal: AbortSignal;
}

export async function* actionLines(config: Config, wanted: WantedAction): AsyncGenerator<string, void, void> {
  const { path, what, signal } = wanted;
  const body = JSON.stringify(wanted.body);
  const response = await askAdmin(config, { path, method: 'POST', showsToken: true, body, signal });
  const lines = createInterface({ input: response, crlfDelay: Infinity });
  if (response.statusCode === 200) {
    yield* lines;
    return;
  }
  const said = (await Array.fromAsync(lines)).join(' ');
  const hint = response.statusCode === 401 ? '; set SLUICE_ADMIN_TOKEN' : '';
  throw new SluiceError(
    'queue_unavailable',
    `Cannot ${what}: the process on ${config['admin.listen']} answered ${response.statusCode} (${said})${hint}`,
  );
}
