// How files are read: what is asked for, in turns, as fast as the queue takes it, and without the system's help.

import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { FileWorld } from './file-world.ts';

const TIMEOUT = { timeout: 60_000 };

suite('what is read', TIMEOUT, () => {
  test('from the end: what was there is left out, but for the line that goes on', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log'), 'old\nhalf a');
    {
      await using running = world.start({ from: 'end' });
      await world.until(() => running.input.figures.open === 1);
      appendFileSync(world.path('a.log'), ' line\nnew\n');
      writeFileSync(world.path('b.log'), 'later\n');
      await world.untilLines(3);
    }
    appendFileSync(world.path('a.log'), 'more\n');
    await using _ = world.start({ from: 'end' });
    await world.untilLines(4);
    assert.deepEqual(world.intake.lines.toSorted(), ['half a line', 'later', 'more', 'new']);
    assert.equal(world.intake.repeats, 0);
  });

  test('patterns, what they leave out, and a tag', async () => {
    await using world = new FileWorld();
    for (const folder of ['x', 'x/y', '.hidden']) mkdirSync(world.path(folder));
    for (const name of ['x/a.log', 'x/y/b.log', 'x/y/b.debug.log', '.hidden/c.log']) {
      writeFileSync(world.path(name), `${name}\n`);
    }
    const include = [world.path('**/*.log')];
    await using _ = world.start({ include, exclude: ['*.debug.log'], tag: 'web', encoding: 'latin1' });
    await world.untilLines(2);
    mkdirSync(world.path('z'));
    writeFileSync(world.path('z/new.log'), Buffer.from('\xe4\n', 'latin1'));
    assert.deepEqual((await world.untilLines(3)).toSorted(), ['x/a.log', 'x/y/b.log', 'ä']);
    assert.deepEqual([...world.intake.tags], ['web']);
  });

  test('a pattern that matches nothing is told of, once', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log'), 'one\n');
    const form = { root: world.path('containers'), factsOf: () => assert.fail('there is none') };
    const rules = [
      { include: [world.path('*.log')] },
      { include: [world.path('*.txt'), '/nope/*'] },
      { include: [], form },
    ];
    await using _ = world.start({}, { rules });
    await world.untilLines(1);
    await world.until(() => world.told.some(({ event }) => event === 'collecting_files'));
    const told = world.told.filter(({ event }) => event === 'no_files_found').map(({ patterns }) => patterns);
    assert.deepEqual(told, [`${world.path('*.txt')}, /nope/*`]);
  });

  test('a rotated file that was there before, and that nobody asked for, is left out', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log.1'), 'before\n');
    writeFileSync(world.path('a.log'), 'now\n');
    await using _ = world.start();
    await world.untilLines(1);
    renameSync(world.path('a.log.1'), world.path('a.log.2'));
    renameSync(world.path('a.log'), world.path('a.log.1'));
    writeFileSync(world.path('a.log'), 'then\n');
    assert.deepEqual(await world.untilLines(2), ['now', 'then']);
  });

  test('a folder that is removed and made again', async () => {
    await using world = new FileWorld();
    mkdirSync(world.path('x'));
    writeFileSync(world.path('x/a.log'), 'one\n');
    await using _ = world.start({ include: [world.path('x/*.log')] });
    await world.untilLines(1);
    rmSync(world.path('x'), { recursive: true });
    mkdirSync(world.path('x'));
    writeFileSync(world.path('x/a.log'), 'two\n');
    await world.untilLines(2);
    appendFileSync(world.path('x/a.log'), 'three\n');
    assert.deepEqual(await world.untilLines(3), ['one', 'two', 'three']);
  });

  test('NULs of a writer that went on at its old place after a truncation', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log'), 'one\n');
    await using _ = world.start();
    await world.untilLines(1);
    truncateSync(world.path('a.log'));
    truncateSync(world.path('a.log'), 700_000);
    appendFileSync(world.path('a.log'), 'two\n');
    assert.deepEqual(await world.untilLines(2), ['one', 'two']);
  });
});

suite('how it is read', TIMEOUT, () => {
  test('without the system’s help', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log'), 'one\n');
    await using _ = world.start({}, { watches: false });
    await world.untilLines(1);
    appendFileSync(world.path('a.log'), 'two\n');
    writeFileSync(world.path('b.log'), 'three\n');
    await world.untilLines(3);
    assert.deepEqual(world.intake.lines.toSorted(), ['one', 'three', 'two']);
  });

  test('no file waits for one that has much more', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('flood.log'), 'a line of the flood\n'.repeat(500_000));
    for (let n = 0; n < 20; n += 1) writeFileSync(world.path(`${n}.log`), `quiet ${n}\n`);
    const quiet = new Set<string>();
    let flood = 0;
    world.intake.accept = (chunk) => {
      if (chunk.tag.endsWith('flood.log')) flood += chunk.count;
      else quiet.add(chunk.tag);
      return new Promise((resolve) => setImmediate(resolve));
    };
    await using _ = world.start();
    await world.until(() => quiet.size === 20);
    assert.ok(flood < 100_000, `${flood} lines of the flood came before the last of the others`);
    await world.until(() => flood === 500_000);
  });

  test('while there is no room, nothing is read; then all is, in order', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log'), 'a\n'.repeat(20_000));
    let asked = 0;
    const opened = Promise.withResolvers<void>();
    const room = {
      hasRoom: false,
      room: () => {
        asked += 1;
        return opened.promise;
      },
    };
    await using _ = world.start({}, { room });
    await world.until(() => asked > 0);
    assert.equal(world.intake.entries, 0);
    room.hasRoom = true;
    opened.resolve();
    await world.untilLines(20_000);
    assert.equal(world.intake.repeats, 0);
  });

  test('what intake refuses comes again, and nothing overtakes it', async () => {
    await using world = new FileWorld();
    const lines = Array.from({ length: 20_000 }, (_, n) => `line ${n}`);
    writeFileSync(world.path('a.log'), `${lines.join('\n')}\n`);
    let calls = 0;
    world.intake.before = () => {
      calls += 1;
      if (calls % 2 === 1) throw new SluiceError('queue_full', 'Cannot append: it is full');
      return Promise.resolve();
    };
    await using _ = world.start();
    assert.deepEqual(await world.untilLines(20_000), lines);
    assert.equal(world.intake.repeats, 0);
  });
});
