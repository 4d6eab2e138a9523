// Which entries are parts of a split line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Written } from '#indexer/parse/document/document.ts';
import { partOf } from '#indexer/parse/part.ts';
import { entryOf, hex, outcomeOf } from './documents.ts';

const docker = {
  container_id: 'c',
  container_name: '/x',
  source: 'stdout',
  log: 'text',
  partial_message: 'true',
  partial_id: 'id',
  partial_ordinal: '2',
  partial_last: 'false',
};
const facts = { id: 'id', ordinal: 2, last: false, containerId: 'c', text: 'text' };

function check(record: object, expected: object | null, time: unknown = 1): void {
  const entry = entryOf(record, time);
  const framed = Buffer.concat([Buffer.from([0xc0, 0xc0]), entry, Buffer.from([0x92])]);
  const part = partOf(framed, 2, 2 + entry.length);
  if (part === null) {
    assert.equal(expected, null);
    return;
  }
  const { textAt: _, textStart, textEnd, ...rest } = part;
  assert.deepEqual({ ...rest, text: framed.subarray(textStart, textEnd).toString() }, expected);
}

test('columns', () => {
  check(docker, facts);
  check(Object.fromEntries(Object.entries(docker).toReversed()), facts);
  check({ ...docker, partial_last: 'true' }, { ...facts, last: true });
  check({ ...docker, partial_ordinal: '123456789' }, { ...facts, ordinal: 123_456_789 });
  check({ ...docker, container_id: 1 }, { ...facts, containerId: '' });
  check({ ...docker, log: '' }, { ...facts, text: '' });
  check({ ...docker, log: Buffer.from('bin') }, { ...facts, text: 'bin' });
  check({ ...docker, nested: { a: [1] } }, facts);
  check(docker, facts, [1, { meta: 'data' }]);
  check(docker, facts, 1.5);
  check({}, null);
  check({ log: 'partial_message' }, null);
  check({ partial_messagf: 'true' }, null);
  check({ nested: docker }, null);
  check({ ...docker, partial_message: 'false' }, null);
  check({ ...docker, partial_message: true }, null);
  check({ ...docker, partial_last: undefined }, null);
  check({ ...docker, partial_last: 'yes' }, null);
  check({ ...docker, partial_id: '' }, null);
  check({ ...docker, partial_id: 7 }, null);
  check({ ...docker, partial_ordinal: '0' }, null);
  check({ ...docker, partial_ordinal: '1e3' }, null);
  check({ ...docker, partial_ordinal: '1234567890' }, null);
  check({ ...docker, log: { a: 1 } }, null);
  check({ log: 'text', partial_message: 'true' }, null);
});

test('in the journal', () => {
  const journal = {
    MESSAGE: 'text',
    CONTAINER_ID_FULL: 'c',
    CONTAINER_PARTIAL_MESSAGE: 'true',
    CONTAINER_PARTIAL_ID: 'id',
    CONTAINER_PARTIAL_ORDINAL: '2',
    CONTAINER_PARTIAL_LAST: 'false',
  };
  const last = { ...journal, CONTAINER_PARTIAL_MESSAGE: undefined, CONTAINER_PARTIAL_LAST: 'true' };
  check(journal, facts);
  check(last, { ...facts, last: true });
  check({ ...journal, MESSAGE: undefined, log: 'text', 'container.id': 'c' }, facts);
  check({ ...journal, MESSAGE: undefined, message: 'text' }, facts);
  check({ ...journal, CONTAINER_PARTIAL_MESSAGE: undefined }, null);
  check({ ...journal, CONTAINER_PARTIAL_ID: undefined }, null);
  check({ ...last, CONTAINER_PARTIAL_ORDINAL: 'x' }, null);
  assert.equal(outcomeOf(entryOf(JSON.parse(JSON.stringify(last)))), 'part');
});

test("what Docker leaves without a line break is a line's last part", () => {
  const id = '0123456789abcdef'.repeat(4);
  const full = 'x'.repeat(16_384);
  check({ ...docker, partial_id: id }, { ...facts, id, last: true });
  check({ ...docker, partial_id: id, log: full }, { ...facts, id, text: full });
  check({ ...docker, partial_id: id, log: full.slice(1) }, { ...facts, id, last: true, text: full.slice(1) });
  check({ ...docker, partial_id: id, log: '' }, { ...facts, id, last: true, text: '' });
  check({ ...docker, partial_id: id.slice(1) }, { ...facts, id: id.slice(1) });
});

test('headers of every width, whatever the entry looks like else', () => {
  const text8 = (type: number) => (text: string) => [Buffer.from([type, text.length]), Buffer.from(text)];
  const text16 = (type: number) => (text: string) => [Buffer.from([type, 0, text.length]), Buffer.from(text)];
  const text32 = (type: number) => (text: string) => [Buffer.from([type, 0, 0, 0, text.length]), Buffer.from(text)];
  for (const header of [text8(0xc4), text16(0xc5), text32(0xc6), text8(0xd9), text16(0xda), text32(0xdb)]) {
    const pairs = Object.entries(docker).flatMap(([key, value]) => [...header(key), ...header(value)]);
    const entry = Buffer.concat([hex('dc0002 d700 695735a5 00000000 df00000008'), ...pairs]);
    assert.equal(partOf(entry, 0, entry.length)?.id, 'id');
    assert.equal(outcomeOf(entry), 'part');
  }
});

test('the writer of documents answers `part` where this does, and nowhere else', () => {
  const check = (record: object, expected: Written): void => {
    const entry = entryOf(record);
    assert.equal(outcomeOf(entry), expected);
    assert.equal(partOf(entry, 0, entry.length) !== null, expected === 'part');
  };
  check(docker, 'part');
  check({ ...docker, kubernetes: { pod_name: 'p', labels: { a: 'b' } } }, 'part');
  check({ ...docker, partial_message: 'false' }, 'ok');
  check({ ...docker, partial_ordinal: '0' }, 'ok');
  check({ log: 'text', partial_message: 'true' }, 'ok');
  check({ nested: docker }, 'ok');
  check({ log: 'partial_message' }, 'ok');

  const entry = entryOf({ ...docker, kubernetes: { pod_name: 'p', labels: { a: [1] } } });
  fc.assert(
    fc.property(fc.nat(entry.length - 1), fc.nat(255), fc.nat(entry.length), (at, byte, length) => {
      for (const bytes of [entry.with(at, byte), entry.subarray(0, length)])
        assert.equal(outcomeOf(bytes) === 'part', partOf(bytes, 0, bytes.length) !== null);
    }),
    { numRuns: 3000 },
  );
});

test('cut anywhere, or random: no part, and no error', () => {
  const entry = entryOf(docker);
  for (let length = 0; length < entry.length; length += 1) assert.equal(partOf(entry, 0, length), null);
  const mixed = fc.tuple(fc.nat(entry.length - 1), fc.nat(255)).map(([at, byte]) => entry.with(at, byte));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), mixed), (bytes) => void partOf(bytes, 0, bytes.length)),
    { numRuns: 3000 },
  );
});
