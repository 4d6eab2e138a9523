// The indexer's function starts with the settings that its template and its documentation give it, without a server.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const ENTRY = join(import.meta.dirname, '../../services/lambda/indexer.ts');
const run = promisify(execFile);

/** Loads the entry in a process of its own, calls it with a record of `topic`, and resolves to what it rejects with. */
async function refusalOf(topic: string, env: Record<string, string>): Promise<string> {
  const record = { topic, partition: 0, offset: 0, timestamp: 0, value: 'e30=' };
  const code = `const { handler } = await import(${JSON.stringify(ENTRY)});
    const context = { functionName: 'f', getRemainingTimeInMillis: () => 0 };
    const event = { records: { 'one-0': [${JSON.stringify(record)}] } };
    const refusal = await handler(event, context).then(() => 'none', (error) => error.message);
    process.stdout.write('\\n' + refusal, () => process.exit());`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', code], {
    env: { PATH: process.env['PATH'], SLUICE_ELASTICSEARCH_URL: 'http://127.0.0.1:9', ...env },
  });
  return stdout.split('\n').at(-1) ?? '';
}

test('with topics of others and without brokers it starts, and refuses a topic that no rule has', async () => {
  const env = { SLUICE_KAFKA_SOURCES: '[{topic: others, format: json}]' };
  assert.match(await refusalOf('unknown', env), /^Cannot read unknown: it is not SLUICE_KAFKA_TOPIC/);
  assert.match(await refusalOf('others', env), /^Cannot finish the batch/);
});
