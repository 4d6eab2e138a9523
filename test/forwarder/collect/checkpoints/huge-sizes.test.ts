// A sparse file that says that it is larger than any place can be counted to: it takes no disk, and must cost nobody
// else anything. ext4 has no such files; tmpfs and XFS do.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { pageAfter, prepareSchema, putGenerations } from '#forwarder/collect/checkpoints/checkpoint-rows.ts';
import { prepareAdded } from '#forwarder/collect/checkpoints/added-tables.ts';
import { openRegular } from '#forwarder/collect/files/file-identity.ts';

const TMPFS = '/dev/shm';
const row = {
  source: '/a', number: 0, identity: '1:2', offset: 0, chain: new Uint8Array(16), crc32: 0, tail: '', head: '',
  size: 0, unfinishedEnd: 0, writtenMs: 1.5, skipEnd: 0, open: '',
} as const; // prettier-ignore

for (const [size, kept] of [
  [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  [Number.MAX_SAFE_INTEGER + 1, Number.MAX_SAFE_INTEGER],
  [2 ** 63, Number.MAX_SAFE_INTEGER],
  [-(2 ** 63), -Number.MAX_SAFE_INTEGER],
] as const) {
  test(`a checkpoint of ${size} bytes is kept, and so are the others`, () => {
    using database = new DatabaseSync(':memory:');
    prepareSchema(database);
    prepareAdded(database);
    database.exec("INSERT INTO source (path, next, first_ms) VALUES ('/a', 2, 0)");
    putGenerations(database, [
      { ...row, size, skipEnd: size },
      { ...row, number: 1, size: 7 },
    ]);
    const { generations } = pageAfter(database, null);
    assert.deepEqual(
      generations.map((each) => [each.size, each.skipEnd]),
      [
        [kept, kept],
        [7, 0],
      ],
    );
  });
}

test('a row that an older version wrote is read', () => {
  using database = new DatabaseSync(':memory:');
  prepareSchema(database);
  prepareAdded(database);
  database.exec("INSERT INTO source (path, next, first_ms) VALUES ('/a', 1, 0)");
  putGenerations(database, [row]);
  database.exec('UPDATE generation SET size = 9223372036854775807');
  assert.equal(pageAfter(database, null).generations[0]?.size, 2 ** 63);
});

test('such a file is not opened', { skip: !isTmpfs() && `${TMPFS} is no tmpfs` }, async () => {
  const folder = fs.mkdtempSync(join(TMPFS, 'sluice-huge-'));
  try {
    const path = join(folder, 'big.log');
    fs.closeSync(fs.openSync(path, 'w'));
    fs.truncateSync(path, Number.MAX_SAFE_INTEGER - 1);
    await (await openRegular(path)).close();
    // Beyond what Node takes for a length.
    execFileSync('/usr/bin/env', ['truncate', '-s', '9223372036854775807', path]);
    await assert.rejects(openRegular(path), /it says that it has 9223372036854776000 bytes/);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

function isTmpfs(): boolean {
  try {
    return fs.statfsSync(TMPFS).type === 0x01021994;
  } catch {
    return false;
  }
}
