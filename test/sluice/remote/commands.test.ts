// `sluice logs` and `sluice search` by the read API of another Sluice: their tests, as they are.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { CommandRunner, READ_API } from '../command-runner.ts';

process.env[READ_API] = 'yes';

test('the commands have no store of their own', async () => {
  await using runner = await CommandRunner.open();
  assert.match(runner.config['read.url'] ?? '', /^http:/);
  assert(!existsSync(runner.config['data.dir']));
});

await import('../commands/logs.test.ts');
await import('../commands/search.test.ts');
await import('../commands/search-language.test.ts');
