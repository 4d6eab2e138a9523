// A file that was touched is read for comparison, and nothing of it is stored again; one that has other bytes is,
// whatever its size says, and one that may have been written anew.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { suite, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { RewriteCheck } from '#forwarder/collect/files/rewrite-check.ts';
import { FileWorld } from './file-world.ts';

const TIMEOUT = { timeout: 60_000, concurrency: true };
/** Of a file that is larger than 4 KiB. */
const LINES = 2000;

function content(lines = LINES, middle = 'middle'): string {
  return Array.from({ length: lines }, (_, n) => `line ${n === lines / 2 ? middle : n}\n`).join('');
}

function touch(path: string): void {
  const now = new Date(Date.now() + 1000);
  fs.utimesSync(path, now, now);
}

/** Waits until what happened to the file before is decided: the comparison is told of. */
async function compared(world: FileWorld, count: number): Promise<void> {
  await world.until(() => world.details.filter(({ event }) => event === 'file_compared').length >= count);
}

suite('files are touched', TIMEOUT, () => {
  test('while they are read: nothing is stored again, what follows is read', async () => {
    await using world = new FileWorld();
    const path = world.path('a.log');
    fs.writeFileSync(path, content());
    await using _ = world.start();
    await world.untilLines(LINES);
    touch(path);
    await compared(world, 1);
    fs.appendFileSync(path, 'next\n');
    await world.untilLines(LINES + 1);
    assert.equal(world.intake.entries, LINES + 1);
    touch(path);
    await compared(world, 2);
    assert.equal(world.intake.entries, LINES + 1);
  });

  test('while nobody reads, also such as were passed over, or end without a line feed', async () => {
    await using world = new FileWorld();
    const names = ['a.log', 'b.log', 'c.log'].map((name) => world.path(name)) as [string, string, string];
    const [passed, unfinished, long] = names;
    fs.writeFileSync(passed, content());
    {
      await using running = world.start({ from: 'end' });
      await world.until(() => running.input.figures.open === 1 && running.input.figures.unreadBytes === 0);
      fs.writeFileSync(unfinished, `${content()}unfinished`);
      fs.writeFileSync(long, content() + 'x'.repeat(100_000));
      await world.until(() => world.intake.lines.includes('unfinished'));
    }
    const { entries } = world.intake;
    for (const name of names) touch(name);
    {
      await using _ = world.start({ from: 'end' });
      await compared(world, names.length);
      // Parts of a line that has no end yet have the same names: they add nothing.
      assert.equal(world.intake.entries - entries, world.intake.repeats);
      for (const name of names) fs.appendFileSync(name, '\nend\n');
      await world.until(() => world.intake.lines.filter((line) => line === 'end').length === names.length);
    }
    // Of the unfinished line, the whole, of the long one, its end.
    assert.ok(world.intake.held.size <= entries + 6, `${world.intake.held.size} lines`);
    assert.equal(world.intake.lines.filter((line) => line === 'line 1').length, 2);
  });

  test('one that is closed because too many are open', async () => {
    await using world = new FileWorld();
    const names = ['a.log', 'b.log', 'c.log'].map((name) => world.path(name));
    for (const name of names) fs.writeFileSync(name, content());
    await using running = world.start({}, { openFilesMax: 2 });
    await world.until(() => world.intake.held.size === 3 * LINES && running.input.figures.waiting === 0);
    for (const name of names) touch(name);
    await compared(world, 3);
    assert.equal(world.intake.entries, 3 * LINES);
  });
});

suite('times are set in other ways', TIMEOUT, () => {
  test('all is stored again once, and not each time; other bytes are still seen', async () => {
    await using world = new FileWorld();
    const path = world.path('a.log');
    fs.writeFileSync(path, content());
    await using running = world.start();
    await world.untilLines(LINES);
    for (let n = 1; n <= 3; n++) {
      // As `touch -m`, `cp -p` and rsync do.
      fs.utimesSync(path, new Date(1_700_000_000_000), new Date(1_700_000_000_000 + n * 3_600_000));
      await compared(world, n);
      await world.untilLines(2 * LINES);
      await world.until(() => running.input.figures.unreadSeconds === 0);
    }
    assert.equal(world.intake.entries, 2 * LINES);
    const file = fs.openSync(path, 'r+');
    fs.writeSync(file, content(LINES, 'MIDDLE'));
    fs.closeSync(file);
    await world.untilLines(3 * LINES);
  });

  test('to the beginning of time', async () => {
    await using world = new FileWorld();
    const path = world.path('a.log');
    fs.writeFileSync(path, content());
    await using _ = world.start();
    await world.untilLines(LINES);
    fs.utimesSync(path, 0, 0);
    await compared(world, 1);
    fs.appendFileSync(path, 'next\n');
    await world.untilLines(LINES + 1);
    assert.equal(world.intake.entries, LINES + 1);
  });

  test('the first step of a comparison waits for others, too, and a large file never comes twice', async () => {
    await using world = new FileWorld();
    fs.writeFileSync(world.path('a.log'), content());
    const handle = await fs.promises.open(world.path('a.log'));
    try {
      const size = content().length;
      let waitMs = 1;
      let bytes = 0;
      const budget = { waitMs: () => waitMs, compared: (more: number) => void (bytes += more), spend: () => undefined };
      const buffer = Buffer.alloc(256 * 1024);
      const source = { doubledMs: Number.NEGATIVE_INFINITY };
      const read = { offset: size, crc32: crc32(content()), hasUnread: false, source };
      const rewrite = new RewriteCheck();
      const step = (nowMs: number, said = size) =>
        rewrite.step({ handle, buffer, budget }, { size: said, mtimeMs: 2, atimeMs: 1 }, read, nowMs);
      assert.equal(await step(0), 'wait');
      assert.equal(await step(1000), 'wait');
      assert.equal(bytes, 0);
      waitMs = 0;
      assert.equal(await step(1001, 2 ** 40), 'same');
      assert.equal(bytes, size);
      rewrite.end();
      const check = async (nowMs: number, expected: string): Promise<void> => {
        await step(nowMs - 600);
        assert.equal(await step(nowMs), expected);
        rewrite.end();
      };
      await check(2000, 'anew');
      await check(3_602_000 - 1, 'same');
      await check(3_602_000, 'anew');
    } finally {
      await handle.close();
    }
  });
});

suite('files are written anew with the same size', TIMEOUT, () => {
  for (const isRunning of [true, false]) {
    test(`other bytes in the middle, ${isRunning ? 'seen' : 'unseen'}: the next generation`, async () => {
      await using world = new FileWorld();
      const path = world.path('a.log');
      fs.writeFileSync(path, content(LINES, 'middle'));
      let running = world.start();
      await world.untilLines(LINES);
      if (!isRunning) await running[Symbol.asyncDispose]();
      const file = fs.openSync(path, 'r+');
      fs.writeSync(file, content(LINES, 'MIDDLE'));
      fs.closeSync(file);
      if (!isRunning) running = world.start();
      await world.untilLines(2 * LINES);
      assert.ok(world.intake.lines.includes('line MIDDLE'));
      assert.equal(world.intake.repeats, 0);
      await running[Symbol.asyncDispose]();
    });
  }

  test('another unfinished end after the same lines', async () => {
    await using world = new FileWorld();
    const path = world.path('a.log');
    fs.writeFileSync(path, `${content()}end 1`);
    await using _ = world.start();
    await world.untilLines(LINES + 1);
    const file = fs.openSync(path, 'r+');
    fs.writeSync(file, 'end 2', content().length);
    fs.closeSync(file);
    await world.until(() => world.intake.lines.includes('end 2'));
  });

  test('a small file with the same bytes: each is stored, for nothing tells it from a touch', async () => {
    await using world = new FileWorld();
    const path = world.path('a.log');
    fs.writeFileSync(path, 'ok\n');
    await using _ = world.start();
    await world.untilLines(1);
    fs.writeFileSync(path, 'ok\n');
    await world.untilLines(2);
  });

  for (const isRunning of [true, false]) {
    test(`the same bytes in a larger file, ${isRunning ? 'seen' : 'unseen'}: each is stored`, async () => {
      await using world = new FileWorld();
      const path = world.path('a.log');
      fs.writeFileSync(path, content());
      let running = world.start();
      await world.untilLines(LINES);
      if (!isRunning) await running[Symbol.asyncDispose]();
      // In place: a truncation might be seen.
      const file = fs.openSync(path, 'r+');
      fs.writeSync(file, content());
      fs.closeSync(file);
      if (!isRunning) running = world.start();
      await world.untilLines(2 * LINES);
      assert.equal(world.intake.repeats, 0);
      await running[Symbol.asyncDispose]();
    });
  }

  test('lines in the place of NULs, one after another', async () => {
    await using world = new FileWorld();
    const path = world.path('a.log');
    fs.writeFileSync(path, Buffer.concat([Buffer.from(content()), Buffer.alloc(8000)]));
    await using _ = world.start();
    await world.untilLines(LINES);
    const file = fs.openSync(path, 'r+');
    fs.writeSync(file, 'next\n', content().length);
    fs.closeSync(file);
    await world.until(() => world.intake.lines.includes('next'));
    for (let n = 1; n <= 3; n++) {
      const more = fs.openSync(path, 'r+');
      fs.writeSync(more, `next ${n}\n`, content().length + 'next\n'.length + (n - 1) * 'next 1\n'.length);
      fs.closeSync(more);
      await world.until(() => world.intake.lines.includes(`next ${n}`));
    }
    assert.equal(world.intake.entries, LINES + 4);
  });
});
