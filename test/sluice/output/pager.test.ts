// What goes through a pager, with real programs as pagers.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { PagedOutput } from '../../../services/sluice/output/pager.ts';
import { terminalOf } from '../../../services/sluice/terminal/terminal.ts';
import { Page } from '../command-runner.ts';

const config = loadConfig({ env: {}, file: undefined, readFile: () => '' });
const { signal } = new AbortController();

async function paged(pager: string | null, which: 'both' | 'stdout' | 'none', text = 'out\n') {
  const [stdout, stderr] = [new Page(true), new Page(true)];
  const terminal = { hasColours: true, pager };
  let closed = false;
  {
    await using opened = await PagedOutput.open(
      { config, signal, stdout, stderr, clock: systemClock, terminal },
      which,
    );
    const { output } = opened;
    await output.write(text);
    await output.write('err\n', output.stderr);
    closed = output.closed;
  }
  return { stdout: stdout.text, stderr: stderr.text, closed };
}

for (const [which, seen, beside] of [
  ['both', 'out\nerr\n', ''],
  ['stdout', 'out\n', 'err\n'],
] as const) {
  test(`${which} goes through it, and it has ended before what comes then`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-pager-'));
    try {
      const told = await paged(`cat > ${folder}/seen`, which);
      assert.deepEqual(told, { stdout: '', stderr: beside, closed: false });
      assert.equal(await readFile(join(folder, 'seen'), 'utf8'), seen);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

test('without one, nothing is in between', async () => {
  const plain = { stdout: 'out\n', stderr: 'err\n', closed: false };
  assert.deepEqual(await paged(null, 'both'), plain);
  assert.deepEqual(await paged('cat', 'none'), plain);
});

test('a pager that is left early is a reader that has gone', async () => {
  const { closed } = await paged('head -c 1 > /dev/null', 'both', 'x'.repeat(4 * 1024 * 1024));
  assert.equal(closed, true);
});

test('a pager that does not exist is told', async () => {
  await assert.rejects(paged('/none/there 2> /dev/null', 'both'), /Cannot start the pager/);
});

for (const [what, env, isInteractive, terminal] of [
  ['PAGER', { PAGER: 'more -s' }, true, { hasColours: true, pager: 'more -s' }],
  ['SLUICE_PAGER before it', { PAGER: 'more', SLUICE_PAGER: 'most' }, true, { hasColours: true, pager: 'most' }],
  ['an empty one', { PAGER: '' }, true, { hasColours: true, pager: null }],
  ['cat', { PAGER: 'cat' }, true, { hasColours: true, pager: null }],
  ['no less on the path', { PATH: '/none' }, true, { hasColours: true, pager: null }],
  ['a pipe', { PAGER: 'more' }, false, { hasColours: true, pager: null }],
  ['NO_COLOR', { NO_COLOR: '1', PAGER: '' }, true, { hasColours: false, pager: null }],
  ['a dumb terminal', { TERM: 'dumb', PAGER: 'more' }, true, { hasColours: false, pager: null }],
] as const) {
  test(`terminal: ${what}`, () => assert.deepEqual(terminalOf({ env, isInteractive }), terminal));
}
