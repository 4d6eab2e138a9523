// What lies at the path of a file that was found, by the time it is opened: anybody who may write to the folder may
// have put something else there, and a FIFO that is waited for holds one of the few threads that read files.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { areNuls } from '#forwarder/collect/files/file-bytes.ts';
import { contentOf, generationOfGzip, unpackedBytes } from '#forwarder/collect/files/file-content.ts';
import { openRegular, statOf } from '#forwarder/collect/files/file-identity.ts';
import { FollowedFile } from '#forwarder/collect/files/followed-file.ts';
import { isSameFile } from '#forwarder/collect/imports/known-content.ts';

test('nothing but a regular file is opened, and a FIFO is not waited for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-identity-'));
  const { signal } = new AbortController();
  const generation = {
    place: { offset: 4, crc32: 1 },
    identity: '',
  } as unknown as Parameters<typeof isSameFile>[1];
  try {
    const fifo = join(folder, 'fifo.log');
    execFileSync('mkfifo', [fifo]);
    const device = join(folder, 'zero.log');
    symlinkSync('/dev/zero', device);
    for (const path of [fifo, device, folder]) {
      const refused = { message: /no regular file/ };
      await assert.rejects(openRegular(path), refused);
      await assert.rejects(areNuls(path, 0, 4), refused);
      await assert.rejects(generationOfGzip(path, { generations: [] }), refused);
      await assert.rejects(contentOf(path, { compression: null, generations: [], signal }), refused);
      await assert.rejects(isSameFile(path, generation, signal), refused);
      await assert.rejects(unpackedBytes(path, null, {}).next(), refused);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a file that took the name of the one that was found is not read as that one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-identity-'));
  try {
    const path = join(folder, 'a.log');
    writeFileSync(path, 'one\n');
    const found = await statOf(path);
    assert(found);
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'two\n');
    const options = { hasTrueTimes: true } as Parameters<typeof FollowedFile.open>[2];
    const generation = { place: { offset: 0 } } as Parameters<typeof FollowedFile.open>[1];
    assert.equal(await FollowedFile.open({ path, identity: found.identity }, generation, options), 'replaced');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
