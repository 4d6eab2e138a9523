import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { type ChunkName, chunkIdentity, documentId, identityTimeMs, randomIdentity } from '#shared/record/identity.ts';

const name: ChunkName = {
  timeMs: 1_700_000_000_123,
  tenant: null,
  sender: '10.0.0.1',
  tag: 'app.web',
  chunkId: Buffer.from('chunk'),
  crc32: 0x01020304,
  length: 300,
};

test('is the time, and SHA-256 over the fields, each with its length', () => {
  const hashed = Buffer.from(
    `ffffffff00000008${Buffer.from('10.0.0.1').toString('hex')}00000007${Buffer.from('app.web').toString('hex')}` +
      `00000005${Buffer.from('chunk').toString('hex')}00000008010203040000012c`,
    'hex',
  );
  const expected = `018bcfe5687b${createHash('sha256').update(hashed).digest('hex').slice(0, 20)}`;
  assert.equal(chunkIdentity(name).toString('hex'), expected);
});

test('is the same for the same chunk', () => {
  assert.deepEqual(chunkIdentity({ ...name, chunkId: new Uint8Array(name.chunkId) }), chunkIdentity(name));
});

describe('is another where anything differs', () => {
  const check = (what: string, other: Partial<ChunkName>) =>
    test(what, () => assert.notDeepEqual(chunkIdentity({ ...name, ...other }), chunkIdentity(name)));

  check('time', { timeMs: 1_700_000_000_124 });
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
  const ids = Array.from({ length: 2000 }, () => randomIdentity(5));
  assert.equal(new Set(ids.map((id) => id.toString('hex'))).size, 2000);
  assert.ok(ids.every((id) => id.length === 16 && id.readUIntBE(0, 6) === 5));
});

describe('documentId', () => {
  const id = Buffer.from('000102030405060708090a0b0c0d0eff', 'hex');
  const batch = { id, first: 5, receivedMs: 77, chain: null } as const;
  const check = (version: 1 | 2, index: number, expected: string) =>
    test(`version ${version}, ${index}`, () => assert.equal(documentId({ ...batch, version }, index), expected));

  check(1, 0, '000102030405060708090a0b0c0d0eff-0');
  check(1, 12_345, '000102030405060708090a0b0c0d0eff-12345');
  check(1, 2 ** 40, '000102030405060708090a0b0c0d0eff-1099511627776');
  check(2, 0, 'AAECAwQFBgcICQoLDA0O_wAAAAA');
  check(2, 12_345, 'AAECAwQFBgcICQoLDA0O_wAAMDk');
  check(2, 2 ** 32 - 1, 'AAECAwQFBgcICQoLDA0O______8');

  test('by position: its own name, counted from the first of its row', () => {
    const bytes = Buffer.from(Array.from({ length: 44 }, (_, i) => i));
    const named = { ...batch, version: 2, chain: Buffer.alloc(16), names: { bytes, earliestMs: 3 } } as const;
    assert.equal(documentId(named, 5), 'AAECAwQFBgcICQoLDA0ODxAREhMUFQ');
    assert.equal(documentId(named, 6), bytes.toString('base64url', 22));
    assert.equal(documentId(named, 5).length, 30);
    assert.equal(identityTimeMs(named), 3);
    const { names: _, ...unread } = named;
    assert.equal(identityTimeMs(unread), 0);
  });

  test('the time in a name: of version 1 that of receipt', () => {
    assert.equal(identityTimeMs({ ...batch, version: 1 }), 77);
    assert.equal(identityTimeMs({ ...batch, version: 2 }), 0x000102030405);
  });

  test('ids sort as their times do', () => {
    const ids = [0, 1, 255, 1_700_000_000_000, 1_700_000_000_001, 2 ** 48 - 1].map((ms) =>
      chunkIdentity({ ...name, timeMs: ms }),
    );
    assert.deepEqual(ids.toSorted(Buffer.compare), ids);
  });
});
