// Split lines come out whole, once, with the fields of their first part.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JoinedLine } from '#indexer/join/joiner.ts';
import { documentId } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';
import { batch, documentOf, entryOf } from '../parse/documents.ts';
import { type Given, Joining, idOf, partial, whole } from './joining.ts';

test('a line of three parts', () => {
  const joining = new Joining();
  assert.deepEqual(joining.part(1), []);
  assert.deepEqual(joining.part(2), []);
  assert.deepEqual([joining.joiner.events, joining.joiner.dueMs], [2, 5000]);
  assert.deepEqual(joining.part(3, { last: true }), [whole('l1 l2 l3 ', '3', 'l1 ', 'l2 ', 'l3 ')]);
  assert.deepEqual([joining.joiner.events, joining.joiner.bytes, joining.joiner.dueMs], [0, 0, null]);
});

test("the document has the first part's time, fields and sequence, and the last part's name", () => {
  const { joiner } = new Joining();
  const record = { n: { a: 1 }, partial_message: 'true', partial_id: 'i', log: 'ä'.slice(0, 1), 7: 'seven' };
  const add = (ordinal: number, fields: object, own: Partial<Batch>): JoinedLine<string>[] => {
    const entry = entryOf({ ...record, partial_ordinal: String(ordinal), ...fields }, [ordinal, { meta: ordinal }]);
    const context = { partition: 0, assignmentNumber: 1, batch: { ...batch, ...own }, index: 5, ref: '' };
    return joiner.add(context, entry, 0) ?? [];
  };
  add(1, { partial_last: 'false', k: 'first' }, { seq: 1000, receivedMs: 1 });
  const [line] = add(2, { partial_last: 'true', k: 'second' }, { id: idOf(2), seq: 2000, receivedMs: 2 });
  assert(line);
  assert.equal(
    documentId(line.batch, line.index),
    Buffer.from(`${'02'.repeat(16)}00000005`, 'hex').toString('base64url'),
  );
  assert.deepEqual(documentOf(line.entry, { batch: line.batch, index: line.index }), {
    '@timestamp': '1970-01-01T00:00:01.000Z',
    message: 'ää',
    attributes: { n: { a: 1 }, 7: 'seven', k: 'first', 'fluentd.metadata': { meta: 1 } },
    fluentd: { tag: 'app.web' },
    event: { ingested: '2026-01-02T03:04:06.120Z', sequence: 1005 },
  });
});

test('a character that was cut in two', () => {
  const { joiner } = new Joining();
  const euro = Buffer.from('€');
  const add = (ordinal: number, log: Buffer): JoinedLine<string>[] => {
    const fields = {
      partial_message: 'true',
      partial_id: 'i',
      partial_ordinal: String(ordinal),
      partial_last: String(ordinal === 2),
    };
    const entry = entryOf({ log, ...fields });
    return (
      joiner.add(
        { partition: 0, assignmentNumber: 1, batch: { ...batch, id: idOf(ordinal) }, index: 0, ref: '' },
        entry,
        0,
      ) ?? []
    );
  };
  add(1, euro.subarray(0, 1));
  const [line] = add(2, euro.subarray(1));
  assert(line);
  assert.equal(documentOf(line.entry).message, '€');
});

test('lines of different sources do not mix', () => {
  const others: Given[] = [
    { partition: 1 },
    { extra: { container_id: 'other' } },
    { batch: { tag: 'other' } },
    { batch: { sender: 'other' } },
    { batch: { tenant: 'other' } },
    { extra: { partial_id: 'other' } },
  ];
  const joining = new Joining();
  joining.part(1);
  for (const other of others) assert.deepEqual(joining.part(2, { ...other, last: true }), []);
  assert.deepEqual(joining.part(2, { last: true }), [whole('l1 l2 ', '2', 'l1 ', 'l2 ')]);
  assert.equal(joining.joiner.events, others.length);
});

test('a part that comes again is settled with its line and says nothing', () => {
  const joining = new Joining();
  joining.part(1);
  joining.part(1, { ref: 'again' });
  joining.part(2);
  joining.part(1, { ref: 'late' });
  assert.deepEqual(joining.part(3, { last: true }), [whole('l1 l2 l3 ', '3', 'l1 ', 'again', 'l2 ', 'late', 'l3 ')]);
});

test('a part of the same place that says something else is of another line, and nothing is swallowed', () => {
  const cases: [name: string, run: (joining: Joining) => object[], expected: object[]][] = [
    [
      'another first part',
      (j) => [...j.part(1), ...j.part(1, { text: 'other ', batch: { id: idOf(9) } }), ...j.part(2, { last: true })],
      [partial('l1 ', '1', 'l1 '), whole('other l2 ', '2', 'other ', 'l2 ')],
    ],
    [
      'the same text at another time',
      (j) => [
        ...j.part(1),
        ...j.part(1, { seconds: 77, ref: 'later', batch: { id: idOf(9) } }),
        ...j.part(2, { last: true }),
      ],
      [partial('l1 ', '1', 'l1 '), whole('l1 l2 ', '2', 'later', 'l2 ')],
    ],
    [
      'another part in the middle',
      (j) => [...j.part(1), ...j.part(2), ...j.part(2, { text: 'other ', batch: { id: idOf(9) } }), ...j.after(5000)],
      [partial('l1 l2 ', '2', 'l1 ', 'l2 '), partial('other ', '?', 'other ')],
    ],
    [
      'two lines between each other',
      (j) => [
        ...j.part(1),
        ...j.part(1, { text: 'm1 ', batch: { id: idOf(8) } }),
        ...j.part(2, { last: true }),
        ...j.part(2, { text: 'm2 ', last: true, batch: { id: idOf(9) } }),
        ...j.after(5000),
      ],
      [partial('l1 ', '1', 'l1 '), whole('m1 l2 ', '2', 'm1 ', 'l2 '), partial('m2 ', '?', 'm2 ')],
    ],
  ];
  for (const [name, run, expected] of cases) {
    const joining = new Joining();
    assert.deepEqual(run(joining), expected, name);
    assert.equal(joining.joiner.events, 0, name);
  }
});

test('parts in the wrong order', () => {
  const joining = new Joining();
  joining.part(2);
  joining.part(3, { last: true });
  assert.deepEqual(joining.part(1), [whole('l1 l2 l3 ', '3', 'l2 ', 'l3 ', 'l1 ')]);
});

test('any lines, cut anyhow and interleaved anyhow, come out as they were', () => {
  const line = fc.array(fc.string({ unit: 'binary', maxLength: 6 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.nat()),
      fc.boolean(),
      (lines, picks, twice) => {
        // All of them wait at once at most.
        const joining = new Joining({ bytesMax: 1_000_000 });
        const next = lines.map(() => 0);
        const out = new Map<string, unknown>();
        let settled = 0;
        let given = 0;
        while (next.some((ordinal, i) => ordinal < (lines[i]?.length ?? 0))) {
          const open = next.flatMap((ordinal, i) => (ordinal < (lines[i]?.length ?? 0) ? [i] : []));
          const i = open[picks.next().value % open.length] ?? 0;
          const ordinal = (next[i] = (next[i] ?? 0) + 1);
          const last = ordinal === lines[i]?.length;
          for (let time = 0; time < (twice && !last ? 2 : 1); time += 1) {
            given += 1;
            for (const joined of joining.part(ordinal, {
              line: `line${i}`,
              text: lines[i]?.[ordinal - 1] ?? '',
              last,
              ref: `line${i}`,
            })) {
              assert.equal(joined.partial, false);
              assert.equal(joined.name, String(ordinal));
              out.set(joined.refs[0] ?? '', joined.text);
              settled += joined.refs.length;
            }
          }
        }
        assert.deepEqual(
          Object.fromEntries(out),
          Object.fromEntries(lines.map((parts, i) => [`line${i}`, wellFormed(parts)])),
        );
        assert.deepEqual([settled, joining.joiner.events, joining.joiner.bytes], [given, 0, 0]);
      },
    ),
    { numRuns: 300 },
  );
});

/** Parts are encoded one by one, so a surrogate pair must not be cut by the test itself. */
function wellFormed(parts: readonly string[]): string {
  return parts.map((part) => Buffer.from(part).toString()).join('');
}
