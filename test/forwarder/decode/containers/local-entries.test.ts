// Records of Docker's `local` driver as entries: each its line, parts as parts, and damage that costs no other record.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMulti } from '@msgpack/msgpack';
import fc from 'fast-check';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { chainStart } from '#shared/record/chain.ts';
import { LocalEntries } from '#forwarder/decode/containers/local-entries.ts';
import { type LinePlace, PART_BYTES, writeRest } from '#forwarder/decode/files/file-entries.ts';
import { readPieces } from '../files/read-pieces.ts';
import { framed, type LocalEntry, localRecord } from './local-log.ts';

const START: LinePlace = { offset: 0, chain: chainStart('a', '0'), crc32: 0 };
const KIB_16 = 16 * 1024;

interface Read {
  /** `stream text`, of a part `stream [its place] text…`; what is no record: `?`. */
  readonly shown: string[];
  readonly records: Record<string, unknown>[];
  readonly run: Buffer;
  readonly restBytes: number;
  readonly malformed: number;
  readonly line: LinePlace;
}

function read(pieces: readonly Buffer[], place = START): Read {
  const entries = new LocalEntries({ fields: { 'host.name': 'h' } }, place);
  const { run, rest } = readPieces(entries, pieces);
  return { ...shownOf(run), restBytes: rest.length, malformed: entries.malformed, line: entries.line };
}

function shownOf(run: Buffer): Pick<Read, 'shown' | 'records' | 'run'> {
  const records = [...decodeMulti(run)].map((entry) => (entry as [unknown, Record<string, unknown>])[1]);
  const shown = records.map((record) => {
    const { stream, message, log, partial_ordinal: ordinal, partial_last: last } = record as Record<string, string>;
    if (stream === undefined) return '?';
    const part = ordinal === undefined ? '' : `[${ordinal}] `;
    return `${stream} ${part}${message ?? log}${last === 'false' ? '…' : ''}`;
  });
  return { shown, records, run };
}

function check(bytes: Buffer, expected: readonly string[], restBytes = 0): void {
  const whole = read([bytes]);
  assert.deepEqual(whole.shown, expected);
  assert.equal(whole.restBytes, restBytes);
  for (let cut = 0; cut <= bytes.length; cut += bytes.length > 5000 ? 997 : 1) {
    const { run } = read([bytes.subarray(0, cut), bytes.subarray(cut)]);
    assert.ok(run.equals(whole.run), `cut at ${cut}`);
  }
}

const records = (...entries: (LocalEntry | string)[]): Buffer =>
  Buffer.concat(entries.map((entry) => localRecord(typeof entry === 'string' ? { text: entry } : entry)));

test('records', () => {
  const written = records('a', { text: 'b', stream: 'stderr' }, '', 'two\nlines\r');
  check(written, ['stdout a', 'stderr b', 'stdout ', 'stdout two\nlines\r']);
  check(records({ text: 'of 1970', timeNs: 0n }), ['stdout of 1970']);
  const { run } = read([records({ text: 'a', timeNs: 1_795_169_410_123_456_789n })]);
  const [[time]] = [...decodeMulti(run)] as [[{ data: Uint8Array }]];
  const view = new DataView(time.data.buffer, time.data.byteOffset);
  assert.deepEqual([view.getUint32(0), view.getUint32(4)], [1_795_169_410, 123_456_789]);
  // From Docker 29 on, with `--log-opt labels=`.
  const { records: withAttrs } = read([records({ text: 'a', attrs: { team: 'blue', __proto__x: '' } })]);
  assert.deepEqual(withAttrs[0]?.['attrs'], { team: 'blue', __proto__x: '' });
});

test('a file that Docker 20.10.24 has written', () => {
  // docker run --log-driver=local busybox sh -c 'echo one; echo two >&2; echo; printf left'
  const file = `
    000000170a067374646f757410fedbbdecec8aabf5181a036f6e6500000017000000170a06737464657272109ab5aa9ced8a
    abf5181a0374776f00000017000000120a067374646f757410f1a7b8d5ed8aabf51800000012000000600a067374646f7574
    10fcc3aee0ed8aabf5181a046c65667420012a44124061353863643731653634616330613331373166656563363832396364
    366239623465326464656365396431366139336565353633353031373866656532633836180100000060
  `;
  check(Buffer.from(file.replaceAll(/\s/g, ''), 'hex'), ['stdout one', 'stderr two', 'stdout ', 'stdout left']);
});

test('parts, as Docker marks them', () => {
  const full = 'x'.repeat(KIB_16);
  const part = (text: string, last?: boolean, stream = 'stdout'): LocalEntry => ({
    text,
    stream,
    part: last === undefined ? {} : { last },
  });
  check(records(part(full, false), part(full, false, 'stderr'), part('end', true), part('', true, 'stderr'), 'b'), [
    `stdout [1] ${full}…`,
    `stderr [1] ${full}…`,
    'stdout [2] end',
    'stderr [2] ',
    'stdout b',
  ]);
  // Where nothing says which part is the last, the first that is shorter is.
  const untold = [`stdout [1] ${full}…`, `stdout [2] ${full}…`, 'stdout [3] end', 'stdout b'];
  check(records(part(full), part(full), part('end'), 'b'), untold);
  // What a container leaves without a line feed, before it is started again.
  check(records(part('left', false), 'b', part('left'), 'c'), ['stdout left', 'stdout b', 'stdout left', 'stdout c']);
});

test('whoever goes on at any record gives the same entries, whatever is open there', () => {
  const full = 'x'.repeat(KIB_16);
  const bytes = records({ text: full, part: { last: false } }, { text: full, stream: 'stderr', part: {} }, 'a', 'b');
  const whole = read([bytes]);
  for (let cut = 0; cut <= bytes.length; cut += 1000) {
    const first = read([bytes.subarray(0, cut)]);
    const { run } = read([bytes.subarray(first.line.offset)], first.line);
    assert.ok(Buffer.concat([first.run, run]).equals(whole.run), `cut at ${cut}`);
  }
});

test('damage is confined, and waits until it is known what follows', () => {
  const [a, b] = [records('a'), records('b')];
  const other = (at: number, byte: number): Buffer => {
    const changed = Buffer.from(a);
    changed[at < 0 ? a.length + at : at] = byte;
    return changed;
  };
  const given = ['stdout a', '?', 'stdout b'];
  // Of the length, the source's tag, the source, the other length. A length that may be one waits: see below.
  for (const at of [0, 4, 6, -1, -4]) check(Buffer.concat([a, other(at, 0xef), b]), given);
  // A frame that is whole, and has no entry in it.
  const noEntry = (text: string): Buffer => framed(Buffer.from(`\n\x06${text}`, 'latin1'));
  for (const no of [
    noEntry('stdXut'),
    noEntry('stdout\x12\x05ab'),
    noEntry('stdout\x10\xff\xff'),
    records({ text: '', timeNs: -5n }),
  ])
    check(Buffer.concat([a, no, b]), ['stdout a', '?', 'stdout b']);
  // Text that looks like a record is a text.
  check(records(a.toString('latin1'), 'b'), [`stdout ${a.toString('latin1')}`, 'stdout b']);
  // The daemon ended within a record, and was started again.
  const longer = records('more');
  for (let torn = 1; torn < longer.length; torn += 1) {
    const bytes = Buffer.concat([b, longer.subarray(0, torn), b, b]);
    // The first three bytes of a length are NULs.
    check(bytes, ['stdout b', ...(torn < 4 ? [] : ['?']), 'stdout b', 'stdout b']);
  }
  check(Buffer.concat([b, Buffer.alloc(300, 0xee)]), ['stdout b'], 300);
});

test('NULs before a record, as many as there may be, are none of it', () => {
  const [a, long] = [records('a'), records('x'.repeat(300))];
  for (const nuls of [1, 2, 3, 4, 5, 6, 7, 8, 9, 1000, 70_000]) {
    for (const next of [a, long]) {
      const result = read([Buffer.concat([a, Buffer.alloc(nuls), next, a])]);
      const shown = next === a ? 'stdout a' : `stdout ${'x'.repeat(300)}`;
      assert.deepEqual([result.shown, result.malformed], [['stdout a', shown, 'stdout a'], 0], `${nuls} NULs`);
    }
  }
  check(Buffer.concat([a, Buffer.alloc(30), long, Buffer.alloc(9)]), ['stdout a', `stdout ${'x'.repeat(300)}`], 9);
});

test('much that is no record passes in pieces', () => {
  const noise = Buffer.alloc(150_000, 0xee);
  check(Buffer.concat([noise, records('a')]), ['?', '?', '?', 'stdout a']);
});

test('what is torn is passed when nothing more comes of it', () => {
  const [a, long] = [records('a'), records('x'.repeat(5000))];
  const after = (bytes: Buffer): { goesOn: boolean; shown: string[]; rest: number } => {
    const entries = new LocalEntries({ fields: {} }, START);
    const { rest, run } = readPieces(entries, [bytes]);
    const goesOn = entries.passesTorn(rest, 0, rest.length);
    const more = readPieces(entries, [rest]);
    return { goesOn, shown: shownOf(Buffer.concat([run, more.run])).shown, rest: more.rest.length };
  };
  // Its length says that it goes on over the records behind it.
  assert.deepEqual(after(Buffer.concat([long.subarray(0, 40), a, a])), {
    goesOn: true,
    shown: ['?', 'stdout a', 'stdout a'],
    rest: 0,
  });
  // Nothing whole is behind it: it waits.
  const nothing = { goesOn: false, shown: [], rest: 80 };
  assert.deepEqual(after(Buffer.concat([long.subarray(0, 40), long.subarray(0, 40)])), nothing);
  const twice = after(
    Buffer.concat([long.subarray(0, 40), Buffer.alloc(9), long.subarray(0, 40), a, a.subarray(0, 9)]),
  );
  assert.deepEqual(twice, { goesOn: true, shown: ['?', 'stdout a'], rest: 9 });
  assert.equal(after(Buffer.alloc(PART_BYTES + 1, 0xee)).goesOn, true);
  for (const at of [2, 3]) {
    const wrong = Buffer.from(a);
    wrong[at] = 0xef;
    assert.deepEqual(after(Buffer.concat([wrong, a])), { goesOn: true, shown: ['?', 'stdout a'], rest: 0 });
  }
  // As the end of a file, all of it.
  const entries = new LocalEntries({ fields: {} }, START);
  const writer = new MsgpackWriter();
  assert.equal(writeRest(entries, writer, long.subarray(0, 40)), 1);
  assert.deepEqual(shownOf(writer.take()).shown, ['?']);
});

test('any records and any damage, in any pieces: the same entries; what is whole and in front is there', () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('\n\x06stdout', '\0\0\0\x0c\n\x06stdout'));
  const record = text.map((some) => localRecord({ text: some }));
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.constantFrom(new Uint8Array(5), Buffer.from('\0\0\x01\0')),
  );
  const part = fc.oneof({ weight: 4, arbitrary: record }, { weight: 1, arbitrary: noise });
  fc.assert(
    fc.property(fc.array(record), fc.array(part), fc.array(fc.nat(), { maxLength: 4 }), (first, some, at) => {
      const bytes = Buffer.concat([...first, ...some]);
      const cuts = [0, ...at.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
      const pieces = cuts.slice(1).map((end, i) => bytes.subarray(cuts[i], end));
      const whole = read([bytes]);
      assert.ok(read(pieces).run.equals(whole.run));
      assert.ok(
        whole.shown.length >= first.length &&
          whole.shown.slice(0, first.length).every((one) => one.startsWith('stdout')),
      );
    }),
  );
});
