// `sluice reindex`: what it says before it reads anything.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { freePort } from '#test/backends/free-port.ts';
import { help, run } from '../../../services/sluice/commands/reindex.ts';
import { Page } from '../command-runner.ts';

async function said(sources: unknown): Promise<string> {
  const env = {
    SLUICE_KAFKA_BROKERS: `127.0.0.1:${await freePort()}`,
    SLUICE_STORE: 'embedded',
    SLUICE_KAFKA_SOURCES: JSON.stringify(sources),
  };
  const config = loadConfig({ env, readFile: () => '' });
  const stderr = new Page();
  const { signal } = new AbortController();
  await assert.rejects(run(['--from', '1h'], { config, stdout: new Page(), stderr, signal, clock: systemClock }), {
    code: 'queue_unavailable',
  });
  return stderr.text;
}

test('topics of others are not left out without a word', async () => {
  assert.match(
    await said([{ topic: 'filebeat', format: 'json' }]),
    /^sluice: The topics of kafka\.sources are not read: filebeat;/,
  );
  assert.equal(await said([]), '');
  assert.match(help, /kafka\.sources.*--reset-offsets/s);
});
