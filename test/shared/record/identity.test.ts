import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { type ChunkName, chunkIdentity, documentId, randomIdentity } from '#shared/record/identity.ts';

const name: ChunkName = {
  tenant: null,
  sender: '10.0.0.1',
  tag: 'app.web',
  chunkId: Buffer.from('chunk'),
  crc32: 0x01020304,
  length: 300,
};

test('is SHA-256 over the fields, each with its length', () => {
  const hashed = Buffer.from(
    `ffffffff00000008${Buffer.from('10.0.0.1').toString('hex')}00000007${Buffer.from('app.web').toString('hex')}` +
      `00000005${Buffer.from('chunk').toString('hex')}00000008010203040000012c`,
    'hex',
  );
  const expected = createHash('sha256').update(hashed).digest().subarray(0, 16);
  assert.deepEqual(chunkIdentity(name), expected);
});

test('is the same for the same chunk', () => {
  assert.deepEqual(chunkIdentity({ ...name, chunkId: new Uint8Array(name.chunkId) }), chunkIdentity(name));
});

describe('is another where anything differs', () => {
  const check = (what: string, other: Partial<ChunkName>) =>
    test(what, () => assert.notDeepEqual(chunkIdentity({ ...name, ...other }), chunkIdentity(name)));

  check('tenant', { tenant: 't' });
  check('an empty tenant is not none', { tenant: '' });
  check('sender', { sender: '10.0.0.2' });
  check('tag', { tag: 'app.webs' });
  check('chunk id', { chunkId: Buffer.from('chunK') });
  check('content', { crc32: 0x01020305 });
  check('length', { length: 301 });
  check('where a field ends', { sender: '10.0.0.1a', tag: 'pp.web' });
});

test('takes names of any length', () => {
  const long = { ...name, tag: 'ü'.repeat(5000), chunkId: Buffer.alloc(100_000) };
  assert.equal(chunkIdentity(long).length, 16);
  assert.notDeepEqual(chunkIdentity(long), chunkIdentity({ ...long, length: 1 }));
});

test('random identities do not repeat, and do not change afterwards', () => {
  const ids = Array.from({ length: 2000 }, () => randomIdentity());
  assert.equal(new Set(ids.map((id) => id.toString('hex'))).size, 2000);
  assert.ok(ids.every((id) => id.length === 16));
});

describe('documentId', () => {
  const id = Buffer.from('000102030405060708090a0b0c0d0eff', 'hex');
  test('first', () => assert.equal(documentId(id, 0), '000102030405060708090a0b0c0d0eff-0'));
  test('another', () => assert.equal(documentId(id, 12_345), '000102030405060708090a0b0c0d0eff-12345'));
});
