// A file whose content is replaced while nobody reads it, and of which the checkpoints know little: how it begins
// tells it from others.

import assert from 'node:assert/strict';
import { copyFileSync, cpSync, truncateSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import type { Room } from '#forwarder/intake/chunk.ts';
import { FileWorld } from './file-world.ts';

function numbered(first: number, last: number): string {
  return Array.from({ length: last - first + 1 }, (_, n) => `line ${first + n}\n`).join('');
}

suite('files are replaced unseen', { timeout: 60_000 }, () => {
  test('a kill after the first lines, then copy and truncate: the copy has the names', async () => {
    await using world = new FileWorld();
    // What a kill would leave, just before the queue has the first lines.
    const killed = world.path('killed');
    let isFirst = true;
    world.intake.before = () => {
      if (isFirst) cpSync(world.dataDir, killed, { recursive: true });
      isFirst = false;
      return Promise.resolve();
    };
    writeFileSync(world.path('a.log'), numbered(1, 10));
    {
      await using _ = world.start();
      await world.untilLines(10);
    }
    copyFileSync(world.path('a.log'), world.path('a.log.1'));
    truncateSync(world.path('a.log'));
    writeFileSync(world.path('a.log'), numbered(11, 40));
    await using _ = world.start({}, { dataDir: killed });
    const { intake } = world;
    await world.until(() => intake.held.size > 40 || (intake.held.size === 40 && intake.repeats >= 10));
    assert.deepEqual(intake.lines.toSorted(), numbered(1, 40).trimEnd().split('\n').toSorted());
  });

  test('a kill after the first lines, then other lines after the same header', async () => {
    await using world = new FileWorld();
    const killed = world.path('killed');
    let isFirst = true;
    world.intake.before = () => {
      if (isFirst) cpSync(world.dataDir, killed, { recursive: true });
      isFirst = false;
      return Promise.resolve();
    };
    const header = `${'header '.repeat(60)}\n`;
    writeFileSync(world.path('a.log'), header + numbered(1, 10));
    {
      await using _ = world.start();
      await world.untilLines(11);
    }
    writeFileSync(world.path('a.log'), header + numbered(11, 40));
    await using _ = world.start({}, { dataDir: killed });
    await world.until(() => world.intake.entries >= 42);
    assert.equal(world.intake.held.size, 42);
  });

  test('another beginning, and the same bytes before the place', async () => {
    await using world = new FileWorld();
    writeFileSync(world.path('a.log'), `begin 1\n${'tick\n'.repeat(100)}`);
    {
      await using _ = world.start();
      await world.untilLines(101);
    }
    writeFileSync(world.path('a.log'), `begin 2\n${'tick\n'.repeat(150)}`);
    await using _ = world.start();
    const lines = await world.untilLines(151);
    assert.ok(lines.includes('begin 2'));
    assert.equal((await world.untilLines(252)).length, 252);
  });

  test('written anew with the same size, between the start and the first look at it', async () => {
    await using world = new FileWorld();
    const path = world.path('a.log');
    writeFileSync(path, 'the same\n'.repeat(5));
    {
      await using _ = world.start();
      await world.untilLines(5);
    }
    // As when the broker is down at the start: files are opened, and none has a turn.
    const room = Promise.withResolvers<void>();
    let hasRoom = false;
    const full: Room = {
      get hasRoom() {
        return hasRoom;
      },
      room: () => room.promise,
    };
    await using _ = world.start({}, { room: full });
    await world.until(() => world.details.filter(({ how }) => how === 'known').length === 2);
    writeFileSync(path, 'the same\n'.repeat(5));
    hasRoom = true;
    room.resolve();
    assert.equal((await world.untilLines(10)).length, 10);
  });
});
