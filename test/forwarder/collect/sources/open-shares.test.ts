// More files that always grow than may be open: each is read in the end, and a folder of many takes nothing from one
// of few, whatever its writer does to keep his files open.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { FollowedFiles } from '#forwarder/collect/files/followed-files.ts';
import type { FollowedFile } from '#forwarder/collect/files/followed-file.ts';
import type { FoundFile } from '#forwarder/collect/files/found-files.ts';
import type { ReadingTurns } from '#forwarder/collect/turns/reading-turns.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { FileWorld } from '../files/file-world.ts';

test('files that are never quiet take turns at being open', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const paths = ['a', 'b', 'c', 'd', 'e'].map((name) => world.path(`${name}.log`));
  const written: string[] = [];
  const grow = (): void => {
    for (const path of paths) {
      const line = `${path} ${written.length}`;
      written.push(line);
      fs.appendFileSync(path, `${line}\n`);
    }
  };
  grow();
  const growing = setInterval(grow, 100);
  try {
    await using running = world.start({}, { openFilesMax: 2 });
    const isReadOn = (path: string): boolean => world.intake.lines.filter((line) => line.startsWith(path)).length > 20;
    await world.until(() => {
      assert.ok(running.input.figures.open <= 2);
      return paths.every(isReadOn);
    });
    clearInterval(growing);
    await world.until(() => world.intake.held.size === written.length);
    assert.deepEqual(new Set(world.intake.lines), new Set(written));
  } finally {
    clearInterval(growing);
  }
});

/** What keeps a file from being quiet. */
type Kind = Partial<Pick<FollowedFile, 'hasUnfinished' | 'isSuspect' | 'isInTurn' | 'behindSinceMs'>>;

test('whatever a folder of many files does, a file of another is open in the end', async () => {
  const check = async (kind: Kind, secondsMax: number, { isRenamed = false, isGone = false } = {}): Promise<void> => {
    const clock = new VirtualClock();
    const followed = new FollowedFiles({
      clock,
      openMax: 20,
      turns: { isBusy: () => true, wake() {} } as unknown as ReadingTurns,
      isWatched: () => true,
    });
    const open = (path: string): void => {
      const generation = { identity: path, source: { path: isRenamed && path.startsWith('/bad') ? '/bad/x' : path } };
      const state = { path, generation, unreadBytes: 1, heldUntilMs: 1, close: () => Promise.resolve() };
      followed.add({ ...state, hasUnfinished: false, isSuspect: false, ...kind } as unknown as FollowedFile);
    };
    const bad = Array.from({ length: 100 }, (_, n) => `/bad/${n}`);
    const opened = new Set<string>();
    // The files of the honest come last in each walk.
    const paths = [...bad, '/good/a', '/good/b', '/other/c'];
    let seconds = 0;
    for (; !['/good/a', '/good/b', '/other/c'].every((path) => opened.has(path)); seconds++) {
      assert.ok(seconds <= secondsMax, `not after ${seconds} s`);
      await clock.advance(1000);
      followed.tick();
      const starting: string[] = [];
      for (const path of paths) {
        const isOpen = followed.of(path) !== null;
        const found = { identity: path, base: path, path } as FoundFile;
        if (!isOpen && followed.makeRoom(found, starting.length)) starting.push(path);
      }
      followed.walked(new Set(paths));
      for (const path of starting) {
        open(path);
        opened.add(path);
      }
      if (isGone) followed.keepPaths({ has: (path) => !path.startsWith('/bad') });
      assert.ok(followed.count <= 20);
    }
  };
  await check({ behindSinceMs: 0 }, 3);
  await check({ behindSinceMs: null }, 3);
  await check({ hasUnfinished: true, behindSinceMs: null }, 12);
  await check({ isSuspect: true, behindSinceMs: null }, 12);
  await check({ behindSinceMs: 0 }, 12, { isRenamed: true });
  await check({ behindSinceMs: 0 }, 70, { isGone: true });
});

test('of one folder, each of many files is open in the end, and nobody is closed before it has been read', async () => {
  const clock = new VirtualClock();
  const turns = { isBusy: () => true, wake() {} } as unknown as ReadingTurns;
  const followed = new FollowedFiles({ clock, openMax: 10, turns, isWatched: () => true });
  const paths = Array.from({ length: 100 }, (_, n) => `/logs/${n}`);
  const files = new Map<string, FollowedFile>();
  const walk = async (heldUntilMs: number): Promise<void> => {
    await clock.advance(1000);
    const starting: string[] = [];
    for (const path of paths) {
      const found = { identity: path, base: path, path } as FoundFile;
      if (followed.of(path) === null && followed.makeRoom(found, starting.length)) starting.push(path);
    }
    followed.walked(new Set(paths));
    for (const path of starting) {
      const generation = { identity: path, source: { path } };
      const file = { path, generation, behindSinceMs: 0, heldUntilMs, close: () => Promise.resolve() };
      files.set(path, file as unknown as FollowedFile);
      followed.add(file as unknown as FollowedFile);
    }
  };
  // The queue takes nothing.
  for (let n = 0; n < 8; n++) await walk(0);
  assert.equal(files.size, 10);
  for (const file of files.values()) file.heldUntilMs = 1;
  for (let n = 0; n < 25; n++) await walk(1);
  assert.equal(files.size, 100);
});
