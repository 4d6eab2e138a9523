// The joiner of traces: sources do not mix, gaps and limits end a trace, and whoever reads again from where reading may
// begin makes the same documents, whatever the clock was.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ContiguousOffsets } from '#indexer/commit/contiguous-offsets.ts';
import { type Out, type QueuedLine, Tracing, documentsOf, queued } from './tracing.ts';

const TRACE = ['java.lang.IllegalStateException: x', '\tat a.B.c(B.java:1)', '\tat a.B.d(B.java:2)'];
const PYTHON = ['Traceback (most recent call last):', '  File "/a.py", line 1, in f', '    g()', 'ValueError: x'];
const brief = (out: readonly Out[]): unknown[] => out.map(({ lines, partial, refs }) => [lines, partial, ...refs]);

function read(lines: readonly QueuedLine[], some = {}): Tracing {
  const tracing = new Tracing(some);
  for (const line of lines) tracing.read(line);
  return tracing;
}

test('the document has a name of its own, and the sequence and text of all from the first on', () => {
  const [one, two] = documentsOf([...TRACE, 'after']) as [Out, Out];
  const singles = documentsOf(['a', 'b', 'c']).map(({ id }) => id);
  assert(!singles.includes(one.id), 'with the name of a line it could be taken for that line alone');
  assert.equal(documentsOf([...TRACE, 'other'])[0]?.id, one.id);
  assert.notEqual(documentsOf(TRACE.slice(0, 2))[0]?.id, one.id);
  assert.equal(one.text, TRACE.join('\n'));
  assert.equal(one.sequence, 0);
  assert.deepEqual(brief([one, two]), [
    [3, false, 0, 1, 2],
    [1, false, 3],
  ]);
});

test('sources, partitions and streams do not mix', () => {
  const tracing = new Tracing();
  for (let i = 0; i < 3; i++)
    for (const [j, source] of ['a', 'b', 'c'].entries())
      tracing.read({
        text: TRACE[i]!,
        source,
        partition: j === 2 ? 1 : 0,
        offset: 2 * i + (j % 2),
        receivedMs: i,
        appendedMs: i,
        number: 3 * i + j,
      });
  tracing.after(2000);
  assert.deepEqual(brief(tracing.out), [
    [3, false, 0, 3, 6],
    [3, false, 1, 4, 7],
    [3, false, 2, 5, 8],
  ]);
});

test('a gap ends a trace; what continues it after that is marked', () => {
  const gaps = (some: Partial<QueuedLine>): unknown[] => {
    const tracing = read(queued([...TRACE]).map((line) => (line.number === 2 ? { ...line, ...some } : line)));
    tracing.after(5000);
    return brief(tracing.out);
  };
  const two = [
    [2, false, 0, 1],
    [1, true, 2],
  ];
  assert.deepEqual(gaps({ receivedMs: 1001 }), [[3, false, 0, 1, 2]]);
  assert.deepEqual(gaps({ receivedMs: 1002 }), two);
  assert.deepEqual(gaps({ appendedMs: 1002 }), two);
  assert.deepEqual(gaps({ receivedMs: 0 }), two, 'received before the line that it follows: from a spool');
});

test('limits cut a trace, and mark both', () => {
  const many = [TRACE[0]!, ...Array.from({ length: 9 }, (_, i) => `\tat a.B.c(B.java:${i})`)];
  assert.deepEqual(brief(documentsOf(many, { linesMax: 4 })), [
    [4, true, 0, 1, 2, 3],
    [4, true, 4, 5, 6, 7],
    [2, true, 8, 9],
  ]);
  const cut = documentsOf(many, { lineBytesMax: 150 });
  assert(cut.length > 1 && cut.every(({ partial, text }) => partial && text.length <= 150));
});

test('of all traces no more bytes wait than may: the one that is silent for longest goes, marked', () => {
  const lines = Array.from({ length: 40 }, (_, i) => ({ ...queued(['panic: x'])[0]!, source: `s${i}`, number: i }));
  const tracing = read(lines, { bytesMax: 30_000 });
  assert(tracing.joiner.events < 20 && tracing.out.length + tracing.joiner.events === 40);
  assert.deepEqual(
    tracing.out.map(({ refs }) => refs[0]),
    tracing.out.map((_, i) => i),
  );
  assert(tracing.out.every(({ partial }) => partial));
});

test('what the end of a batch cuts is marked, if more may follow', () => {
  const tails = (isWhole: boolean): unknown[] => {
    const tracing = read(queued([...TRACE]));
    tracing.flush(isWhole);
    return brief(tracing.out);
  };
  assert.deepEqual(tails(false), [[3, true, 0, 1, 2]]);
  assert.deepEqual(tails(true), [[3, false, 0, 1, 2]]);
});

test('forgotten traces give back all of their events', () => {
  const python = queued([...PYTHON], { source: 'b' }).map((line) => ({ ...line, number: line.number + 7 }));
  const tracing = read([...queued([...TRACE]), ...python]);
  assert.deepEqual(
    tracing.joiner.drop((ref) => ref === 1),
    [0, 1, 2],
  );
  assert.equal(tracing.joiner.events, 4);
  assert.deepEqual(tracing.joiner.drop(), [7, 8, 9, 10]);
  assert.equal(tracing.joiner.events, 0);
});

test('a line that is sent again is a repeat: while its trace is open, and after that', () => {
  const [one, two, three] = queued([...TRACE]);
  const tracing = read([one!, two!, two!, one!, three!, three!]);
  tracing.after(2000);
  assert.deepEqual(brief(tracing.out), [[3, false, 0, 1, 2]]);
  tracing.read({ ...two!, offset: 9, appendedMs: 3000 });
  assert.deepEqual(tracing.repeats, [1, 0, 2, 1]);
  tracing.joiner.drop();
  tracing.read({ ...two!, offset: 10, appendedMs: 3000 });
  assert.equal(tracing.repeats.length, 4, 'under another assignment it is taken');
});

test('overlapping traces hold the commit, and a stretch of them has an end', () => {
  const tracing = new Tracing();
  for (let i = 0; i < 30_000; i++) {
    const text = i % 3 === 0 ? TRACE[0]! : TRACE[1]!;
    // Of two sources one has always a trace open.
    tracing.read({ text, source: String(i & 1), offset: i, receivedMs: i, appendedMs: i, number: i });
  }
  const kinds = tracing.holds.map(({ kind }) => kind);
  assert.deepEqual(
    kinds,
    kinds.map((_, i) => (i % 2 === 0 ? 'hold' : 'release')),
  );
  assert(kinds.length >= 29);
  const cut = tracing.out.filter(({ partial }) => partial).length;
  assert(cut > 0 && cut < tracing.out.length / 100, `${cut} of ${tracing.out.length}`);
});

const CHUNKS: readonly (readonly string[])[] = [
  TRACE,
  TRACE,
  PYTHON,
  PYTHON,
  ['panic: x', '', 'goroutine 1 [running]:', 'main.f()', '\t/a.go:1 +0x1', 'exit status 2'],
  ['ordinary'],
  ['Caused by: a.BError'],
  [''],
];

/** Lines of some sources, in records, as a queue has them: what each source says, and whose turn it is. */
const load = fc
  .record({
    said: fc.array(fc.array(fc.constantFrom(...CHUNKS), { maxLength: 6 }), { minLength: 3, maxLength: 3 }),
    turns: fc.array(
      fc.record({
        source: fc.nat(2),
        sameRecord: fc.boolean(),
        gapMs: fc.constantFrom(0, 1, 1, 1, 1, 1, 100, 400, 900, 1100, 3000),
        delayMs: fc.constantFrom(0, 0, 0, 0, 0, 5, 1500),
      }),
      { minLength: 20, maxLength: 60 },
    ),
  })
  .map(({ said, turns }) => {
    const left = said.map((chunks) => chunks.flat());
    let offset = -1;
    let nowMs = 0;
    const lines: QueuedLine[] = [];
    for (const { source, sameRecord, gapMs, delayMs } of turns) {
      const text = left[source]?.shift();
      if (text === undefined) continue;
      if (!sameRecord || offset < 0) {
        offset++;
        nowMs += gapMs;
      }
      const number = lines.length;
      lines.push({ source: `s${source}`, text, offset, receivedMs: nowMs - delayMs, appendedMs: nowMs, number });
    }
    return lines;
  });

/** What a store has that takes each name once. */
class Stored {
  readonly texts = new Map<string, string>();
  add(out: readonly Out[]): void {
    for (const { id, text, partial } of out) if (!this.texts.has(id)) this.texts.set(id, `${partial} ${text}`);
  }
}

/** Reads from an offset to the line with this number, as an indexer does. Returns what it would have committed. */
function readFrom(lines: readonly QueuedLine[], from: number, to: number, lagMs: number, stored: Stored): number {
  const offsets = new ContiguousOffsets(from);
  const pendings = new Map<number, { pending: ReturnType<ContiguousOffsets['start']>; left: number }>();
  const tracing = new Tracing();
  let settled = 0;
  const settle = (): void => {
    for (; settled < tracing.out.length; settled++) {
      stored.add([tracing.out[settled]!]);
      for (const number of tracing.out[settled]!.refs) {
        const record = pendings.get(lines[number]!.offset)!;
        record.left--;
        if (record.left === 0) offsets.finish(record.pending);
      }
    }
    for (const { kind, offset } of tracing.holds.splice(0)) offsets[kind](offset);
  };
  const wanted = lines.filter((line) => line.offset >= from);
  let last = -1;
  for (const line of wanted) {
    if (line.number >= to && line.offset !== last) break;
    if (line.offset !== last) {
      // All that the queue has is read when the clock is asked.
      const arrivesMs = line.appendedMs + lagMs;
      while (tracing.joiner.dueMs !== null && tracing.joiner.dueMs < arrivesMs) {
        tracing.after(Math.max(1, tracing.joiner.dueMs - tracing.nowMs));
        settle();
      }
      tracing.nowMs = Math.max(tracing.nowMs, arrivesMs);
      const left = wanted.filter(({ offset }) => offset === line.offset).length;
      pendings.set(line.offset, { pending: offsets.start(line.offset, 0), left });
      last = line.offset;
    }
    tracing.read(line);
    settle();
  }
  tracing.endRecord();
  if (to >= lines.length) tracing.flush();
  settle();
  return offsets.next;
}

test('whoever goes on where another ended makes the same documents, whatever the clocks were', () => {
  const times = fc.array(fc.record({ at: fc.nat(60), lagMs: fc.constantFrom(0, 3, 200) }), { maxLength: 5 });
  fc.assert(
    fc.property(load, times, (lines, ends) => {
      const expected = new Stored();
      const all = new Tracing();
      for (const line of lines) all.read(line);
      all.flush();
      expected.add(all.out);
      const stored = new Stored();
      let from = 0;
      for (const { at, lagMs } of ends) {
        const next = readFrom(lines, from, at, lagMs, stored);
        assert(next >= from, 'the offset never goes back');
        from = next;
      }
      readFrom(lines, from, lines.length, 0, stored);
      assert.deepEqual(stored.texts, expected.texts);
    }),
    { numRuns: 3000 },
  );
});
