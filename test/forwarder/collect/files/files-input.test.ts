// Lines of files: each once, whatever becomes of the file and of the collector.

import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  linkSync,
  renameSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { suite, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { FileWorld } from './file-world.ts';

const TIMEOUT = { timeout: 60_000 };

function numbered(first: number, last: number): string {
  let text = '';
  for (let n = first; n <= last; n += 1) text += `line ${n}\n`;
  return text;
}

function texts(first: number, last: number): string[] {
  return numbered(first, last).trimEnd().split('\n');
}

suite('files are followed', TIMEOUT, () => {
  test('what is there, what is appended, and a file that is new', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log'), numbered(1, 3));
    await using _ = world.start();
    assert.deepEqual(await world.untilLines(3), texts(1, 3));
    appendFileSync(world.path('a.log'), numbered(4, 5));
    assert.deepEqual(await world.untilLines(5), texts(1, 5));
    writeFileSync(world.path('b.log'), numbered(6, 6));
    assert.deepEqual(await world.untilLines(6), texts(1, 6));
    writeFileSync(world.path('other.txt'), 'not asked for\n');
    appendFileSync(world.path('a.log'), numbered(7, 7));
    assert.deepEqual(await world.untilLines(7), texts(1, 7));
    const [record] = world.intake.held.values();
    assert.deepEqual(record, { message: 'line 1', 'log.file.path': world.path('a.log'), 'host.name': 'node-1' });
    assert.ok(world.intake.tags.has(`file.${world.path('a.log').slice(1).replaceAll('/', '.')}`));
  });

  test('rename and a new file: nothing is missing, nothing comes twice, also after restarts', async () => {
    await using world = new FileWorld();
    for (let round = 0; round < 3; round += 1) {
      await using _ = world.start();
      const before = round * 30;
      writeFileSync(world.path('a.log'), numbered(before + 1, before + 10));
      await world.untilLines(before + 10);
      appendFileSync(world.path('a.log'), numbered(before + 11, before + 20));
      renameSync(world.path('a.log'), world.path('a.log.1'));
      appendFileSync(world.path('a.log.1'), numbered(before + 21, before + 25));
      writeFileSync(world.path('a.log'), numbered(before + 26, before + 30));
      await world.untilLines(before + 30);
      unlinkSync(world.path('a.log'));
    }
    assert.deepEqual(world.intake.lines.toSorted(byNumber), texts(1, 90));
    assert.equal(world.intake.repeats, 0);
  });

  test('copytruncate: what the copy alone has is read from it, and nothing else', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log'), numbered(1, 100));
    await using _ = world.start();
    await world.untilLines(100);
    // Together: the collector sees the copy, with lines that it has not read, and the truncated file.
    appendFileSync(world.path('a.log'), numbered(101, 120));
    copyFileSync(world.path('a.log'), world.path('a.log.1'));
    truncateSync(world.path('a.log'));
    appendFileSync(world.path('a.log'), numbered(121, 130));
    await world.untilLines(130);
    assert.deepEqual(world.intake.lines.toSorted(byNumber), texts(1, 130));
    assert.equal(world.intake.repeats, 0);
    assert.equal(
      world.told.some(({ event }) => event === 'file_content_lost'),
      false,
    );
  });

  test('a file that is removed while it is read is read to its end', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log'), numbered(1, 20_000));
    await using _ = world.start();
    await world.untilLines(1);
    unlinkSync(world.path('a.log'));
    await world.untilLines(20_000);
    assert.deepEqual(world.intake.lines, texts(1, 20_000));
  });

  test('the same content anew is other lines: truncated, replaced, and of two files', async () => {
    await using world = new FileWorld();
    await using _ = world.start();
    const content = numbered(1, 5);
    writeFileSync(world.path('a.log'), content);
    writeFileSync(world.path('b.log'), content);
    await world.untilLines(10);
    unlinkSync(world.path('a.log'));
    writeFileSync(world.path('a.log'), content);
    await world.untilLines(15);
    writeFileSync(world.path('b.log'), content);
    await world.untilLines(20);
    assert.equal(world.intake.repeats, 0);
  });

  test('links: a file with two names is one; a link is followed', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.txt'), numbered(1, 2));
    symlinkSync(world.path('a.txt'), world.path('a.log'));
    linkSync(world.path('a.txt'), world.path('b.log'));
    await using _ = world.start();
    await world.untilLines(2);
    appendFileSync(world.path('a.txt'), numbered(3, 3));
    assert.deepEqual(await world.untilLines(3), texts(1, 3));
    assert.equal(world.intake.repeats, 0);
  });

  test('a last line without an end is given when nothing follows, and whole when something does', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log'), 'x');
    await using _ = world.start();
    assert.deepEqual(await world.untilLines(1), ['x']);
    appendFileSync(world.path('a.log'), 'y\nz\n');
    assert.deepEqual(await world.untilLines(3), ['x', 'xy', 'z']);
  });
});

suite('a second run', TIMEOUT, () => {
  test('over the same files gives the same names, without checkpoints too', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log.2.gz'), gzipSync(numbered(1, 10)));
    writeFileSync(world.path('a.log.1'), numbered(11, 20));
    writeFileSync(world.path('a.log'), numbered(21, 30));
    const rule = { include: [world.path('a.log*')] };
    {
      await using _ = world.start(rule);
      await world.untilLines(30);
    }
    {
      await using _ = world.start(rule, { dataDir: world.path('data') });
      await world.until(() => world.intake.entries >= 60);
    }
    assert.equal(world.intake.held.size, 30);
    assert.equal(world.intake.repeats, 30);
  });

  test('reads nothing again that it has read, whatever it is called by then', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log'), numbered(1, 10));
    writeFileSync(world.path('b.log'), numbered(11, 20));
    {
      await using _ = world.start();
      await world.untilLines(20);
    }
    // While nobody reads: renamed, compressed, copied and cut; all of it with lines that are new.
    appendFileSync(world.path('a.log'), numbered(21, 22));
    renameSync(world.path('a.log'), world.path('a.log.1'));
    writeFileSync(world.path('a.log'), numbered(23, 24));
    writeFileSync(world.path('b.log.1.zst'), zstdCompressSync(numbered(11, 20) + numbered(25, 26)));
    truncateSync(world.path('b.log'));
    writeFileSync(world.path('b.log'), numbered(27, 28));
    await using _ = world.start();
    await world.untilLines(28);
    assert.deepEqual(world.intake.lines.toSorted(byNumber), texts(1, 28));
    assert.equal(world.intake.repeats, 0);
  });

  test('counts what rotation took, to the byte', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log'), numbered(1, 10));
    {
      await using _ = world.start();
      await world.untilLines(10);
    }
    writeFileSync(world.path('a.log'), 'gone\n'.repeat(100) + numbered(1, 10));
    let held = Promise.withResolvers<void>();
    held.promise.catch(() => undefined);
    world.intake.before = () => held.promise;
    {
      const running = world.start();
      await world.until(() => running.input.figures.unreadBytes > 0);
      const closed = running[Symbol.asyncDispose]();
      held.reject(new Error('the process ends'));
      await closed;
    }
    held = Promise.withResolvers<void>();
    held.resolve();
    writeFileSync(world.path('a.log'), 'new\n');
    await using _ = world.start();
    await world.until(() => world.told.some(({ event }) => event === 'file_content_lost'));
    const lost = world.told.find(({ event }) => event === 'file_content_lost');
    assert.equal(lost?.['bytes'], 500 + numbered(1, 10).length);
  });
});

function byNumber(a: string, b: string): number {
  return Number(a.slice(5)) - Number(b.slice(5));
}
