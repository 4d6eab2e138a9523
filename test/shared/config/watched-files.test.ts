// When a changed file is told: not before it is written to its end.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { watchFiles } from '#shared/config/watched-files.ts';
import { VirtualClock } from '#test/memory/clock.ts';

test('a file that is being written is not read; one that is written is told once', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-watched-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'tokens.yaml');
  const whole = '- token: the-token-of-acme\n  tenant: acme\n  tags: [acme.*]\n';
  writeFileSync(path, whole);
  const clock = new VirtualClock();
  let changes = 0;
  using _watch = watchFiles({ paths: [path], clock, intervalMs: 2000, changed: () => (changes += 1) });
  await clock.advance(10_000);
  assert.equal(changes, 0);
  // Cut at any place, and longer at each look.
  for (let bytes = 1; bytes <= 20; bytes += 1) {
    writeFileSync(path, whole.replace('acme', 'beta').slice(0, bytes));
    await clock.advance(bytes === 1 ? 2000 : 200);
    assert.equal(changes, 0, `after ${bytes} bytes`);
  }
  writeFileSync(path, whole.replace('acme', 'beta'));
  await clock.advance(400);
  assert.equal(changes, 1);
  // Away for a moment, and back as it was: nothing has changed.
  rmSync(path);
  await clock.advance(2000);
  writeFileSync(path, whole.replace('acme', 'beta'));
  await clock.advance(10_000);
  assert.equal(changes, 1);
});
