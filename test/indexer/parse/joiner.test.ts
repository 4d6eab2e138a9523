// Split lines come out whole, once, in bounded memory; what never completes comes out marked.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type JoinedLine, type JoinerLimits, LineJoiner } from '#indexer/parse/joiner.ts';
import { documentId } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';
import { batch, documentOf, entryOf } from './documents.ts';

const limits: JoinerLimits = { timeoutMs: 5000, lineBytesMax: 1000, bytesMax: 100_000 };

interface Given {
  readonly line?: string;
  readonly text?: string;
  readonly last?: boolean;
  readonly ref?: string;
  readonly partition?: number;
  readonly batch?: Partial<Batch>;
  readonly extra?: object;
  readonly seconds?: number;
  readonly assignment?: number;
}

/**
 * Every part is a batch of its own, as Docker sends them; its id is its ordinal and its line, its index 3, its ref its
 * text.
 */
class Joining {
  readonly joiner: LineJoiner<string>;
  nowMs = 0;

  constructor(some: Partial<JoinerLimits> = {}) {
    this.joiner = new LineJoiner<string>({ ...limits, ...some });
  }

  part(ordinal: number, given: Given = {}): ReturnType<typeof brief>[] {
    const { line = 'l', text = `${line}${ordinal} `, last = false, partition = 0, assignment = 1, ref = text } = given;
    const record = {
      log: text,
      container_id: 'c',
      partial_message: 'true',
      partial_id: line,
      partial_ordinal: String(ordinal),
      partial_last: String(last),
      ...given.extra,
    };
    const own: Batch = { ...batch, id: idOf(ordinal, line), seq: ordinal * 1000, receivedMs: ordinal, ...given.batch };
    const entry = entryOf(record, given.seconds ?? ordinal);
    const lines = this.joiner.add({ partition, assignment, batch: own, index: 3, ref }, entry, this.nowMs);
    return lines?.map(brief) ?? [{ text: 'repeat', name: '', partial: false, refs: [] }];
  }

  after(ms: number): ReturnType<typeof brief>[] {
    this.nowMs += ms;
    return [...this.joiner.expire(this.nowMs)].map(brief);
  }
}

function idOf(ordinal: number, line = ''): Buffer {
  const id = Buffer.alloc(16, ordinal);
  id.write(line, 8);
  given.add(id.toHex());
  return id;
}

/** Ids that parts have. */
const given = new Set<string>();

/** Text, last part's name ("?" for one that no part has), mark, refs. */
function brief(line: JoinedLine<string>): { text: unknown; name: string; partial: boolean; refs: readonly string[] } {
  const { message } = documentOf(line.entry, { batch: line.batch, index: line.index, partial: line.partial });
  const name = given.has(line.batch.id.toHex()) && line.index === 3 ? String(line.batch.id[0]) : '?';
  return { text: message, name, partial: line.partial, refs: line.refs };
}

const whole = (text: string, name: string, ...refs: string[]): object => ({ text, name, partial: false, refs });
const partial = (text: string, name: string, ...refs: string[]): object => ({ text, name, partial: true, refs });

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
    return joiner.add({ partition: 0, assignment: 1, batch: { ...batch, ...own }, index: 5, ref: '' }, entry, 0) ?? [];
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
        { partition: 0, assignment: 1, batch: { ...batch, id: idOf(ordinal) }, index: 0, ref: '' },
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

test('what does not complete in time', () => {
  const joining = new Joining();
  joining.part(1);
  assert.deepEqual(joining.after(3000), []);
  joining.part(2);
  joining.part(1, { line: 'm' });
  assert.deepEqual(joining.after(1999), []);
  assert.deepEqual(joining.after(1), [partial('l1 l2 ', '2', 'l1 ', 'l2 ')]);
  assert.deepEqual(joining.after(3000), [partial('m1 ', '1', 'm1 ')]);
  assert.equal(joining.joiner.events, 0);
});

test('the name always means the same text', () => {
  const cases: [name: string, run: (joining: Joining) => object[], expected: object][] = [
    // The rest of a line whose beginning was passed on has a name of its own, else the whole line, read again, would
    // meet it.
    ['rest', (j) => [...j.part(1), ...j.joiner.flush(), ...j.part(2, { last: true })], partial('l2 ', '?', 'l2 ')],
    // Its beginning may come later, by another forwarder: the whole line, read again, must not meet its own end either.
    ['no beginning', (j) => [...j.part(2, { last: true }), ...j.after(5000)], partial('l2 ', '?', 'l2 ')],
    [
      'gap',
      (j) => [...j.part(1), ...j.part(3, { last: true }), ...j.after(5000)],
      partial('l1 l3 ', '?', 'l1 ', 'l3 '),
    ],
  ];
  for (const [name, run, expected] of cases) assert.deepEqual(run(new Joining()).at(-1), expected, name);
});

test('a line that goes on after its rest is told from the next', () => {
  const joining = new Joining();
  joining.part(1);
  assert.equal([...joining.joiner.flush()].length > 0, true);
  assert.deepEqual(joining.part(2), []);
  assert.deepEqual(joining.part(3, { last: true }), [partial('l2 l3 ', '?', 'l2 ', 'l3 ')]);
  joining.part(1, { batch: { id: idOf(1, 'next') } });
  assert.deepEqual(joining.part(2, { last: true, batch: { id: idOf(2, 'next') } }), [
    whole('l1 l2 ', '2', 'l1 ', 'l2 '),
  ]);
});

test('a part that comes again after its line says nothing, and waits for nothing', () => {
  const repeat = [{ text: 'repeat', name: '', partial: false, refs: [] }];
  const joining = new Joining();
  joining.part(1);
  assert.deepEqual(joining.part(2, { last: true }), [whole('l1 l2 ', '2', 'l1 ', 'l2 ')]);
  assert.deepEqual(joining.part(2, { last: true }), repeat);
  assert.deepEqual(joining.part(1), repeat);
  assert.equal(joining.joiner.events, 0);
  // So does a part of what was passed on because its time was over.
  joining.part(1, { line: 'm' });
  joining.after(5000);
  assert.deepEqual(joining.part(1, { line: 'm' }), repeat);
  assert.deepEqual(joining.part(2, { line: 'm', last: true }), [partial('m2 ', '?', 'm2 ')]);
  assert.deepEqual(joining.part(2, { line: 'm', last: true }), repeat);
  // When the partition was lost, all is read again from what is committed.
  joining.joiner.drop();
  joining.part(1);
  assert.deepEqual(joining.part(2, { last: true }), [whole('l1 l2 ', '2', 'l1 ', 'l2 ')]);
});

test('a part that comes again after more parts than are remembered is marked, and takes the name of no line', () => {
  const joining = new Joining();
  joining.part(1);
  joining.part(2, { last: true });
  for (let i = 0; i < 20_000; i++) joining.part(1, { line: `o${i}`, last: true });
  assert.deepEqual(joining.part(2, { last: true }), []);
  assert.deepEqual(joining.after(5000), [partial('l2 ', '?', 'l2 ')]);
});

test('an unfinished line keeps what tells its parts', () => {
  const { joiner } = new Joining();
  const fields = { partial_message: 'true', partial_id: 'i', partial_ordinal: '1', partial_last: 'false' };
  const entry = entryOf({ log: 'x', ...fields });
  joiner.add({ partition: 0, assignment: 1, batch, index: 0, ref: '' }, entry, 0);
  const [line] = joiner.flush();
  assert(line);
  const { attributes, log } = documentOf(line.entry, { partial: line.partial });
  assert.deepEqual([attributes, log], [fields, { flags: ['partial'] }]);
});

test('a line that is too long', () => {
  const joining = new Joining({ lineBytesMax: 8 });
  joining.part(1, { text: 'aaaa', ref: '1' });
  joining.part(2, { text: 'bbbb', ref: '2' });
  assert.deepEqual(joining.part(3, { text: 'c', ref: '3' }), [partial('aaaabbbb', '2', '1', '2')]);
  assert.deepEqual(joining.part(4, { text: 'd', ref: '4', last: true }), [partial('cd', '?', '3', '4')]);
  // One part alone may be longer than the limit: it is here already.
  assert.deepEqual(joining.part(1, { line: 'm', text: 'e'.repeat(20), ref: '5' }), []);
  assert.deepEqual(joining.part(2, { line: 'm', text: 'f', ref: '6', last: true }), [
    partial('e'.repeat(20), '1', '5'),
    partial('f', '?', '6'),
  ]);
});

test('a line of too many parts', () => {
  const joining = new Joining({ partsMax: 2 });
  joining.part(1);
  joining.part(1, { ref: 'again' });
  assert.deepEqual(joining.part(2, { last: true }), [partial('l1 ', '1', 'l1 ', 'again'), partial('l2 ', '?', 'l2 ')]);
});

test('the oldest goes first when there are too many bytes', () => {
  const joining = new Joining({ bytesMax: 7500, lineBytesMax: 9000 });
  joining.part(1, { line: 'a' });
  joining.part(1, { line: 'b' });
  assert.deepEqual(joining.part(1, { line: 'c', text: 'x'.repeat(2000), ref: 'c' }), [partial('a1 ', '1', 'a1 ')]);
  const passed = joining.part(1, { line: 'd', text: 'x'.repeat(6000), ref: 'd' });
  assert.deepEqual(
    passed.map((line) => line.refs),
    [['b1 '], ['c'], ['d']],
  );
  assert.deepEqual([joining.joiner.bytes, joining.joiner.events], [0, 0]);
});

test('what is lost is dropped, whole lines of it', () => {
  const joining = new Joining();
  joining.part(1, { line: 'a', ref: 'old' });
  joining.part(2, { line: 'a', ref: 'new' });
  joining.part(1, { line: 'b', ref: 'new' });
  assert.deepEqual(
    joining.joiner.drop((ref) => ref === 'old'),
    ['old', 'new'],
  );
  assert.equal(joining.joiner.events, 1);
  assert.deepEqual(joining.joiner.drop(), ['new']);
  assert.deepEqual([joining.joiner.events, joining.joiner.bytes], [0, 0]);
});

test('any lines, cut anyhow and interleaved anyhow, come out as they were', () => {
  const line = fc.array(fc.string({ unit: 'binary', maxLength: 6 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.nat()),
      fc.boolean(),
      (lines, picks, twice) => {
        const joining = new Joining();
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

// A log that is gone revokes an assignment without an end for what is in hand: its line may be on its way to the store
// for long.
test('parts that come again under a later assignment are no repeats of what that one does not wait for', () => {
  const joining = new Joining();
  joining.part(1);
  assert.deepEqual(joining.part(2, { last: true }), [whole('l1 l2 ', '2', 'l1 ', 'l2 ')]);
  assert.deepEqual(joining.part(2, { last: true }), [{ text: 'repeat', name: '', partial: false, refs: [] }]);
  assert.deepEqual(joining.part(1, { assignment: 2 }), []);
  assert.deepEqual(joining.part(2, { last: true, assignment: 2 }), [whole('l1 l2 ', '2', 'l1 ', 'l2 ')]);
  assert.deepEqual(joining.part(2, { last: true, assignment: 2 }), [
    { text: 'repeat', name: '', partial: false, refs: [] },
  ]);
});

test('what another may have passed on unfinished: the names of all beginnings and ends of a line', () => {
  const whole = new LineJoiner<string>(limits);
  const parts = [1, 2, 3].map((ordinal) => {
    const entry = entryOf(
      {
        log: `${ordinal} `,
        partial_message: 'true',
        partial_id: 'l',
        partial_ordinal: String(ordinal),
        partial_last: String(ordinal === 3),
      },
      ordinal,
    );
    return { ordinal, entry, batch: { ...batch, id: idOf(ordinal, 'l'), receivedMs: ordinal } };
  });
  const addTo = (joiner: LineJoiner<string>, ordinal: number, isInherited = true): JoinedLine<string>[] => {
    const part = parts[ordinal - 1]!;
    const context = { partition: 0, assignment: 1, batch: part.batch, index: 3, isInherited, ref: String(ordinal) };
    return joiner.add(context, part.entry, 0) ?? [];
  };
  const [line] = [1, 2, 3].flatMap((ordinal) => addTo(whole, ordinal));
  // Another one, that passed on each of these as it was.
  const names = [[1], [1, 2], [2, 3], [3]].map((some) => {
    const joiner = new LineJoiner<string>(limits);
    const passed = [...some.flatMap((ordinal) => addTo(joiner, ordinal)), ...joiner.flush()];
    assert.equal(passed.length, 1);
    return documentId(passed[0]!.batch, passed[0]!.index);
  });
  assert.deepEqual(new Set(line?.unfinishedIds), new Set(names));
  assert.equal(names.includes(documentId(line!.batch, line!.index)), false);

  const own = new LineJoiner<string>(limits);
  const [mine] = [1, 2, 3].flatMap((ordinal) => addTo(own, ordinal, false));
  assert.deepEqual(mine?.unfinishedIds, []);
});
