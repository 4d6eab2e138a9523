// A name always means the same text, whatever was passed on before, comes again, or was passed on by another.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JoinedLine, LineJoiner } from '#indexer/join/joiner.ts';
import { type NamedPiece, idsOfUnfinished, namedBatch } from '#indexer/join/line-names.ts';
import { documentId } from '#shared/record/identity.ts';
import { batch, entryOf } from '../parse/documents.ts';
import { Joining, idOf, limits, partial, whole } from './joining.ts';

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

test('a line that goes on after its rest is another than the next', () => {
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

// A log that is gone revokes an assignment without an end for what is in hand: its line may be on its way to the store
// for long.
test('parts that come again under a later assignment are no repeats of what that one does not wait for', () => {
  const joining = new Joining();
  joining.part(1);
  assert.deepEqual(joining.part(2, { last: true }), [whole('l1 l2 ', '2', 'l1 ', 'l2 ')]);
  assert.deepEqual(joining.part(2, { last: true }), [{ text: 'repeat', name: '', partial: false, refs: [] }]);
  assert.deepEqual(joining.part(1, { assignmentNumber: 2 }), []);
  assert.deepEqual(joining.part(2, { last: true, assignmentNumber: 2 }), [whole('l1 l2 ', '2', 'l1 ', 'l2 ')]);
  assert.deepEqual(joining.part(2, { last: true, assignmentNumber: 2 }), [
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
    const ref = String(ordinal);
    const context = { partition: 0, assignmentNumber: 1, batch: part.batch, index: 3, isInherited, ref };
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

test('of parts that tell no place, no two runs have one name, whatever was known of their beginning', () => {
  const nameOf = (some: readonly NamedPiece[]): string => {
    const own = namedBatch(some, false);
    return documentId(own, own.first);
  };
  for (const version of [1, 2] as const) {
    const parts = [1, 2, 3, 4].map((n) => {
      return { ordinal: n, batch: { ...batch, version, id: idOf(n, 'u') }, index: n, timeMs: n };
    });
    const runs = [0, 1, 2, 3].flatMap((from) => [1, 2, 3, 4].slice(from).map((to) => parts.slice(from, to)));
    const names = runs.map(nameOf);
    assert.equal(new Set(names).size, runs.length);
    // Those of a line of which nothing was known before are the same.
    const anew = runs.map((some) => nameOf(some.map((piece, i) => ({ ...piece, ordinal: i + 1 }))));
    assert.deepEqual(anew, names);
    for (const [i, { batch: own, index }] of parts.entries())
      assert.equal(nameOf(parts.slice(i, i + 1)), documentId(own, index));

    const cuts = [1, 2, 3].flatMap((at) => [parts.slice(0, at), parts.slice(at)]);
    assert.deepEqual(idsOfUnfinished(parts, false), cuts.map(nameOf));
  }
  const long = Array.from({ length: 200 }, (_, n) => {
    return { ordinal: n + 1, batch: { ...batch, id: idOf(n, 'long') }, index: n, timeMs: n };
  });
  assert.deepEqual(
    idsOfUnfinished(long, false),
    Array.from({ length: 64 }, (_, i) => nameOf(long.slice(0, i + 1))),
  );
});
