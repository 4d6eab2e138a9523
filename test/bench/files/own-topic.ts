// A topic of its own for a turn of a bench of files, gone when it is disposed of.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/config/settings.ts';
import { removeTopics } from '#test/contract/queue-places.ts';

const execute = promisify(execFile);

export interface OwnTopic extends AsyncDisposable {
  readonly name: string;
  /** Settings of Sluice for it. */
  readonly env: Readonly<Record<string, string>>;
  readonly config: Config;
}

export async function ownTopic(brokers: readonly string[]): Promise<OwnTopic> {
  const name = `bench.files.${randomBytes(4).toString('hex')}`;
  const env = {
    SLUICE_KAFKA_BROKERS: brokers.join(),
    SLUICE_KAFKA_TOPIC: name,
    SLUICE_KAFKA_DEAD_LETTER_TOPIC: `${name}.dead`,
    SLUICE_KAFKA_GROUP: name,
  };
  const config = loadConfig({ env, readFile: () => '' });
  await execute(process.execPath, ['dist/sluice.js', 'setup'], { env: { ...process.env, ...env } });
  return { name, env, config, [Symbol.asyncDispose]: () => removeTopics(config) };
}
