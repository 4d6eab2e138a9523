// `sluice cat` over an embedded queue: what its lines are to a program, and to a terminal.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomIdentity } from '#shared/record/identity.ts';
import { encodeBatches } from '#shared/record/record.ts';
import { observeInWords } from '#shared/queue/queue-observer.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { run } from '../../../services/sluice/commands/cat.ts';
import { run as runDeadLetters } from '../../../services/sluice/commands/dead-letters.ts';
import { CommandRunner } from '../command-runner.ts';

const EVIL = 'a\u001b]0;t\u0007\u009b2J\u202e\u061cb';
// oxlint-disable-next-line no-control-regex
const HARMFUL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u202e]/;

test('control characters stay in what a program reads, and away from a terminal', async () => {
  await using runner = await CommandRunner.open();
  await using queue = await openQueue(runner.config, { observer: observeInWords(assert.fail) });
  const batch = {
    version: 2 as const,
    chain: null,
    id: randomIdentity(0),
    first: 0,
    count: 1,
    tag: EVIL,
    input: 'forward',
    tenant: null,
    receivedMs: 0,
    seq: 1,
    sender: EVIL,
  };
  const text = Buffer.from(EVIL);
  const value = Buffer.concat([Buffer.from([0x92, 0xc0, 0x81, 0xa1, 0x6d, 0xa0 | text.length]), text]);
  const batches = encodeBatches([batch]);
  await queue.append(0, [{ encoding: 'identity', batches, value }]);
  await queue.appendDeadLetters([
    { batches, index: 0, reason: 'document_refused', error: EVIL, from: 'edge', value, cut: false },
  ]);

  const plain = await runner.run(run, []);
  assert.equal(plain.stderr, '');
  const shown = await runner.run(run, [], { isTTY: true });
  assert.doesNotMatch(shown.stdout, HARMFUL);
  for (const { stdout } of [plain, shown]) {
    const { tag, record } = JSON.parse(stdout) as { tag: string; record: { m: string } };
    assert.equal(tag, EVIL);
    assert.equal(record.m, EVIL);
  }
  const letters = await runner.run(run, ['--topic', 'dead-letters'], { isTTY: true });
  assert.doesNotMatch(letters.stdout, HARMFUL);
  assert.equal((JSON.parse(letters.stdout) as { error: string }).error, EVIL);

  const id = /^(\S+)/.exec((await runner.run(runDeadLetters, ['list'])).stdout)?.[1] ?? 'none';
  for (const args of [['list'], ['list', '--json'], ['show', id], ['show', id, '--json']]) {
    const { code, stdout } = await runner.run(runDeadLetters, args, { isTTY: true });
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, HARMFUL, args.join(' '));
    assert.match(stdout, /\\u202e/, args.join(' '));
  }
  await assert.rejects(runner.run(runDeadLetters, ['show', id, '--raw'], { isTTY: true }), { code: 'usage_wrong' });
});
