// `sluice import` as its users have it: alone, beside a Sluice that runs, and killed. What counts is what the
// store has.

import assert from 'node:assert/strict';
import { mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { inEmbeddedStore, texts, untilStored } from '../parts/documents.ts';
import { newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const LINES = 15_000;

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}`);
}

/** A file in a folder of its own. */
function fileIn(place: Place, lines: readonly string[]): string {
  const folder = join(place.dataDir, 'logs');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'app.log');
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

interface Summary {
  readonly lines: number;
  readonly already_there: number;
  readonly refused: number;
}

async function importJson(place: Place, ...args: string[]): Promise<Summary & { code: number | null }> {
  const { code, stdout, stderr } = await sluice(['import', ...args, '--json'], place);
  assert.notEqual(stdout, '', stderr);
  return { ...(JSON.parse(stdout) as Summary), code };
}

async function stored(place: Place, count: number): Promise<string[]> {
  return texts(await untilStored(inEmbeddedStore(place), 'imported', count), 'message').toSorted();
}

/** When checkpoints were saved last; 0: never. */
function savedMs({ dataDir }: Place): number {
  return statSync(join(dataDir, 'collect', 'files.sqlite-wal'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/**
 * As whoever supervises it would: where it needs more than ten seconds to start, the import reads the rest of the file
 * itself, and has the folder meanwhile.
 */
async function startedAgain(place: Place): Promise<SluiceProcess> {
  for (;;) {
    const again = new SluiceProcess(['run'], place);
    try {
      return await again.ready();
    } catch (error) {
      const { stderr, stdout } = await again.finished;
      if (!(stdout + stderr).includes('another sluice process uses it')) throw error;
    }
  }
}

suite('sluice import', { timeout: 240_000 }, () => {
  test('alone: into the store, and only once', async () => {
    await using place = await newPlace();
    const lines = numbers(1, 1000);
    const path = fileIn(place, lines);
    const first = await importJson(place, path, '--tag', 'imported');
    assert.deepEqual([first.lines, first.already_there, first.refused, first.code], [1000, 0, 0, 0]);
    renameSync(path, `${path}.1`);
    writeFileSync(`${path}.2.gz`, gzipSync(`${lines.join('\n')}\n`));
    const again = await importJson(place, join(place.dataDir, 'logs', '*.{1,gz}'), '--tag', 'imported');
    assert.deepEqual([again.lines, again.already_there, again.refused, again.code], [0, 2000, 0, 0]);
    assert.deepEqual(await stored(place, 1000), lines.toSorted());
    const missing = await sluice(['import', path], place);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /Cannot import .*app\.log: there is no file/);
    for (const wrong of [[], [join(place.dataDir, 'no*thing')], [path, '--tag', '']]) {
      assert.equal((await sluice(['import', ...wrong], place)).code, 2);
    }
  });

  test('killed twice, and beside a Sluice that is killed: each line once', async () => {
    await using place = await newPlace();
    const lines = numbers(1, LINES);
    const path = fileIn(place, lines);
    const args = ['import', path, '--tag', 'imported'];
    for (let kills = 0; kills < 2; kills += 1) {
      await using alone = new SluiceProcess(args, place);
      // The number of the file is saved just before its first line goes on, and places while it is read.
      const before = savedMs(place);
      await alone.until(() => Promise.resolve(savedMs(place) > before));
      await alone.kill();
    }
    writeFileSync(path, `${[...lines, ...numbers(LINES + 1, 2 * LINES)].join('\n')}\n`);
    const receiver = await new SluiceProcess(['run'], place).ready();
    await using beside = new SluiceProcess(args, place);
    await receiver.until(async () => (await receiver.metric('events_received_total')) > 0);
    await receiver.kill();
    await using _again = await startedAgain(place);
    const { code, stderr } = await beside.finished;
    assert.equal(code, 0, stderr);
    assert.deepEqual(await stored(place, 2 * LINES), numbers(1, 2 * LINES).toSorted());
  });

  test('beside a Sluice that collects the same file', async () => {
    await using place = await newPlace();
    const lines = numbers(1, 500);
    const path = fileIn(place, lines);
    {
      await using collector = await new SluiceProcess(['collect', path, '--tag', 'imported'], place).ready();
      await stored(place, 500);
      const beside = await importJson(place, path);
      assert.deepEqual([beside.lines, beside.already_there, beside.code], [0, 500, 0]);
      assert.equal(await collector.metric('ledger_imbalance'), 0);
    }
    const after = await importJson(place, path);
    assert.deepEqual([after.lines, after.already_there, after.code], [0, 500, 0]);
    assert.deepEqual(await stored(place, 500), lines.toSorted());
  });
});
