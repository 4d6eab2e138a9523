// The end of a file that is no whole line, and NULs before one: each is read once, and costs nothing behind it.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { decodeMulti } from '@msgpack/msgpack';
import { Generations } from '#forwarder/collect/checkpoints/generations.ts';
import { statOf } from '#forwarder/collect/files/file-identity.ts';
import { FollowedFile } from '#forwarder/collect/files/followed-file.ts';
import { newSlot } from '#forwarder/collect/turns/reading-turns.ts';
import { WholeFile } from '#forwarder/collect/files/whole-file.ts';
import type { FollowOptions } from '#forwarder/collect/sources/follow-options.ts';
import { factsOf } from '#forwarder/collect/sources/source-form.ts';
import { LocalEntries } from '#forwarder/decode/containers/local-entries.ts';
import { localRecord } from '#test/forwarder/decode/containers/local-log.ts';
import { FileWorld } from './file-world.ts';

const PART_BYTES = 64 * 1024;
const newLocal: FollowOptions<FollowedFile>['newEntries'] = (_head, place) => new LocalEntries({ fields: {} }, place);

/** A file's generation, and what is given of it. */
function reading(path: string, newEntries = factsOf({ path, facts: '' }, { include: [] }, 'node-1').newEntries) {
  const texts: string[] = [];
  const give = ({ entries }: { entries: Uint8Array }): Promise<void> => {
    for (const entry of decodeMulti(entries)) {
      const [, { message, log }] = entry as [unknown, { message?: string; log?: string }];
      texts.push(message ?? log ?? '');
    }
    return Promise.resolve();
  };
  let replaced = 0;
  const nothing = (): void => undefined;
  const generations = new Generations(0);
  const options = {
    tag: '',
    root: null,
    newEntries,
    budget: null,
    hasTrueTimes: true,
    nowMs: () => 0,
    changed: nothing,
    malformed: nothing,
    compared: nothing,
    save: () => Promise.resolve(true),
    replaced: () => void (replaced += 1),
    failed: (_file: unknown, error: unknown) => assert.fail(String(error)),
    delivery: { give } as unknown as FollowOptions<FollowedFile>['delivery'],
  };
  const generation = generations.add(generations.addSource(path, 0), 'unknown', 'salt');
  return { texts, options, generation, replaced: () => replaced };
}

async function opened(path: string, { generation, options }: ReturnType<typeof reading>): Promise<FollowedFile> {
  const file = await FollowedFile.open({ path, identity: (await statOf(path))?.identity ?? '' }, generation, options);
  assert.ok(typeof file !== 'string');
  file.isStarted = true;
  return file;
}

test('who looks again at a file that is gone, and whose end was given, reads nothing twice', async () => {
  await using world = new FileWorld();
  const long = Array.from({ length: 20_000 }, String)
    .join(' ')
    .slice(0, PART_BYTES + 100);
  const record = localRecord({ text: 'one' });
  const check = async (written: Buffer | string, expected: readonly string[], newEntries?: typeof newLocal) => {
    const path = world.path('a.log');
    const writer = fs.openSync(path, 'w');
    fs.writeSync(writer, Buffer.from(written));
    const read = reading(path, newEntries);
    const file = await opened(path, read);
    fs.unlinkSync(path);
    const slot = newSlot();
    while (await file.turn(slot));
    file.wantsUnfinished = true;
    while (await file.turn(slot));
    assert.deepEqual(read.texts, expected);
    // Before it is closed, and when its writer has gone on.
    while (await file.turn(slot));
    fs.writeSync(writer, newEntries === undefined ? Buffer.from('two\n') : localRecord({ text: 'two' }));
    while (await file.turn(slot));
    assert.deepEqual([read.texts, read.replaced()], [[...expected, 'two'], 0]);
    fs.closeSync(writer);
    await file.close();
  };
  await check(`one\n${long}`, ['one', long.slice(0, PART_BYTES), long.slice(PART_BYTES)]);
  const torn = record.subarray(0, 12);
  await check(Buffer.concat([record, torn]), ['one', torn.toString()], newLocal);
});

test('a record behind many NULs of a compressed file is whole, wherever it is cut in being unpacked', async () => {
  await using world = new FileWorld();
  const record = localRecord({ text: 'x'.repeat(16_000) });
  for (const nuls of [250_000, 262_140, 300_000, 500_000, 523_000]) {
    const path = world.path(`container.log.${nuls}.gz`);
    fs.writeFileSync(path, gzipSync(Buffer.concat([Buffer.alloc(nuls), record, record])));
    const { texts, options, generation } = reading(path, newLocal);
    let error: unknown = null;
    const ended = (_file: WholeFile, why: unknown): void => void (error = why);
    const file = new WholeFile(path, 'gzip', generation, { ...options, ended });
    const slot = newSlot();
    while (await file.turn(slot));
    assert.deepEqual([texts.map(({ length }) => length), error], [[16_000, 16_000], null], `${nuls} NULs`);
    await file.close();
  }
});
