// Lines of containers' log files as entries: what the runtime wraps them in is gone, its parts are parts, and the same
// bytes have the same names, whatever pieces they come in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMulti, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { entryEnd } from '#shared/msgpack/extents.ts';
import { chainAfterEntry, chainStart } from '#shared/record/chain.ts';
import { ContainerEntries } from '#forwarder/decode/containers/container-entries.ts';
import { type ContainerFormat, CRI, JSON_FILE } from '#forwarder/decode/containers/container-line.ts';
import { type LinePlace, PART_BYTES } from '#forwarder/decode/files/file-entries.ts';
import { readPieces } from '../files/read-pieces.ts';

const NO_TIME = '-';

interface Read {
  /** `seconds.nanoseconds stream text`; a part: `[ordinal of its line's number] `, and `…` where more follows. */
  readonly shown: string[];
  readonly records: Record<string, unknown>[];
  readonly chain: string;
  readonly run: Buffer;
  readonly rest: string;
  /** Where reading would begin anew. */
  readonly line: LinePlace;
  readonly malformed: number;
}

const START: LinePlace = { offset: 0, chain: chainStart('a', '0'), crc32: 0 };

function read(pieces: readonly Buffer[], format: ContainerFormat, place = START): Read {
  const source = { fields: { 'host.name': 'h' }, format };
  const entries = new ContainerEntries(source, place);
  const { run, rest } = readPieces(entries, pieces);
  const decoded = [...decodeMulti(run)] as [{ data: Uint8Array } | null, Record<string, unknown>][];
  const lines = new Map<unknown, number>();
  const shown = decoded.map(([time, record]) => {
    const id = record['partial_id'];
    if (id !== undefined && !lines.has(id)) lines.set(id, lines.size + 1);
    const more = record['partial_last'] === 'false' ? '…' : '';
    const part = id === undefined ? '' : `[${String(record['partial_ordinal'])} of ${lines.get(id)}] `;
    const stream = (record['stream'] as string | undefined) ?? '?';
    return `${shownTime(time)} ${stream} ${part}${String(record['message'] ?? record['log'])}${more}`;
  });
  const records = decoded.map(([, record]) => record);
  const chain = Buffer.from(entries.chain).toString('hex');
  const { malformed, line } = entries;
  return { shown, records, chain, run, rest: rest.toString('latin1'), line, malformed };
}

function shownTime(time: { data: Uint8Array } | null): string {
  if (time === null) return NO_TIME;
  const view = new DataView(time.data.buffer, time.data.byteOffset);
  return `${view.getUint32(0)}.${view.getUint32(4)}`;
}

function check(format: ContainerFormat, content: string, expected: readonly string[], rest = ''): void {
  const bytes = Buffer.from(content);
  const result = read([bytes], format);
  assert.deepEqual(result.shown, expected, content);
  assert.equal(result.rest, rest);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const { chain } = read([bytes.subarray(0, cut), bytes.subarray(cut)], format);
    assert.equal(chain, result.chain, `cut at ${cut}`);
  }
}

const T = '2026-11-20T10:10:10.123456789Z';
const S = '1795169410.123456789';

test('lines of CRI', () => {
  check(CRI, `${T} stdout F a\n${T} stderr F b c\n`, [`${S} stdout a`, `${S} stderr b c`]);
  check(CRI, `2026-11-20T11:10:10.123456789+01:00 stdout F a\n`, [`${S} stdout a`]);
  check(CRI, `${T} stdout F \n${T} stdout F\n${T} stdout F  \n`, [`${S} stdout `, `${S} stdout `, `${S} stdout  `]);
  check(CRI, `${T} stdout F a\r\n${T} stdout F:later b\n`, [`${S} stdout a`, `${S} stdout b`]);
  check(CRI, `\0\0\0${T} stdout F a\n${T} stdout F b`, [`${S} stdout a`], `${T} stdout F b`);
  // What looks like a line of a runtime within one is a text.
  check(CRI, `${T} stdout F ${T} stderr P a\n`, [`${S} stdout ${T} stderr P a`]);
});

test('parts of CRI, of both streams at once', () => {
  const lines = [`stdout P a`, `stderr P 1`, `stdout P b`, `stderr F 2`, `stderr F 3`, `stdout F c`, `stdout F d`];
  check(CRI, lines.map((line) => `${T} ${line}\n`).join(''), [
    `${S} stdout [1 of 1] a…`,
    `${S} stderr [1 of 2] 1…`,
    `${S} stdout [2 of 1] b…`,
    `${S} stderr [2 of 2] 2`,
    `${S} stderr 3`,
    `${S} stdout [3 of 1] c`,
    `${S} stdout d`,
  ]);
  // The time of a line is that of its first part.
  check(CRI, `${T} stdout P a\n2026-11-20T10:10:11Z stdout F b\n`, [
    `${S} stdout [1 of 1] a…`,
    `${S} stdout [2 of 1] b`,
  ]);
});

test('whoever goes on at any place gives the same entries, whatever is open there', () => {
  const lines = ['stdout P a', 'stderr P 1', 'stdout P b', 'stderr F 2', 'no line', 'stdout F c', 'stdout P d'];
  const bytes = Buffer.from(lines.map((line) => `${T} ${line}\n`).join(''));
  const whole = read([bytes], CRI);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const first = read([bytes.subarray(0, cut)], CRI);
    const { run } = read([bytes.subarray(first.line.offset)], CRI, first.line);
    assert.deepEqual(Buffer.concat([first.run, run]), whole.run, `cut at ${cut}`);
  }
});

test('what is no line of CRI passes as it is', () => {
  const lines = [
    'a',
    T,
    `${T} stdout`,
    `${T} stdin F a`,
    `${T} stdout X a`,
    `${T} stdout FF a`,
    `stdout F a`,
    `1926-01-02T03:04:05Z stdout F a`,
    `2026-99-02T03:04:05Z stdout F a`,
    `2026-11-2${T} stdout F torn`,
    '{"log":"a\\n","stream":"stdout","time":"2026-11-20T10:10:10Z"}',
  ];
  for (const line of lines) {
    check(CRI, `${line}\n${T} stdout F b\n`, [`${NO_TIME} ? ${line}`, `${S} stdout b`]);
    assert.equal(read([Buffer.from(`${line}\n`)], CRI).malformed, 1);
  }
});

const json = (log: string, more = ''): string =>
  `{"log":${JSON.stringify(log)},"stream":"stdout"${more},"time":"${T}"}\n`;

test('lines of json-file', () => {
  check(JSON_FILE, `${json('a\n')}${json('ä\tb\r\n')}`, [`${S} stdout a`, `${S} stdout ä\tb\r`]);
  check(JSON_FILE, `{"log":"a\\n","log":"b\\n","stream":"stderr","time":"${T}"}\n`, [`${S} stderr b`]);
  const { records } = read([Buffer.from(json('a\n', ',"attrs":{"tag":"x","n":1,"constructor":"p"}'))], JSON_FILE);
  assert.deepEqual(records[0]?.['attrs'], { tag: 'x', constructor: 'p' });
});

test('Docker cuts lines where 16 KiB are full, and what is shorter is whole', () => {
  const a = 'a'.repeat(16 * 1024);
  const shown = (...texts: string[]): string[] =>
    read([Buffer.from(texts.map((text) => json(text)).join(''))], JSON_FILE).shown;
  assert.deepEqual(shown(a, a, 'c\n', '\n'), [
    `${S} stdout [1 of 1] ${a}…`,
    `${S} stdout [2 of 1] ${a}…`,
    `${S} stdout [3 of 1] c`,
    `${S} stdout `,
  ]);
  // The last words of a container, and the first line of its next run.
  check(JSON_FILE, json('last words') + json('first line\n'), [`${S} stdout last words`, `${S} stdout first line`]);
  assert.deepEqual(shown(a, 'last words', 'first line\n'), [
    `${S} stdout [1 of 1] ${a}…`,
    `${S} stdout [2 of 1] last words`,
    `${S} stdout first line`,
  ]);
  assert.deepEqual(shown(a.slice(1), 'b\n'), [`${S} stdout ${a.slice(1)}`, `${S} stdout b`]);
  // As Docker writes what is no UTF-8: a character that it has cut.
  assert.deepEqual(shown(`${a.slice(3)}\ufffd`, 'b\n').length, 2);
  assert.match(shown(`${a.slice(1)}\ufffd`, 'b\n')[1] ?? '', /2 of 1/);
});

test('what is no line of json-file passes as it is, and one behind a torn one is whole', () => {
  const lines = ['a', '{}', '[]', 'null', '{"log":1}', '{"log":"a","stream":"stdout"}', json('a\n').slice(0, 20)];
  for (const line of lines) check(JSON_FILE, `${line}\n${json('b\n')}`, [`${NO_TIME} ? ${line}`, `${S} stdout b`]);
  const torn = json('abc\n').slice(0, 10);
  check(JSON_FILE, `${torn}${json('b\n')}`, [`${NO_TIME} ? ${torn}`, `${S} stdout b`]);
  // A text cannot look so: its quotes are escaped.
  check(JSON_FILE, json('x{"log":"y\n'), [`${S} stdout x{"log":"y`]);
});

test('lines that nobody cut are cut, at the same places whatever comes at once', () => {
  const last = `${T} stdout F next\n`;
  for (const head of [`${T} stdout F `, `${T} stdout P `, 'no line: ']) {
    for (const length of [-1, 0, 1, 2, 3, 100, 128, 129, 130, 131, 132, PART_BYTES, 2 * PART_BYTES + 7]) {
      const text = 'x'.repeat(PART_BYTES + length);
      const bytes = Buffer.from(`${head}${text}\r\n${last}`);
      const whole = read([bytes], CRI);
      const parts = whole.records.slice(0, -1).map(({ message, log }) => String(message ?? log));
      assert.ok(parts.every((part) => part.length <= PART_BYTES + 1));
      assert.ok(parts.join('').includes(text));
      for (let cut = 1; cut < bytes.length; cut += cut < 60 || cut > bytes.length - 60 ? 7 : 9999) {
        const { run } = read([bytes.subarray(0, cut), bytes.subarray(cut)], CRI);
        assert.ok(run.equals(whole.run), `${head}${length} cut at ${cut}`);
      }
    }
  }
});

test('a line of json-file that no Docker wrote passes in parts', () => {
  const bytes = Buffer.from(json(`${'x'.repeat(300_000)}\n`) + json('next\n'));
  const whole = read([bytes], JSON_FILE);
  const parts = whole.records.slice(0, -1).map((record) => record['log']);
  assert.equal(`${parts.join('')}\n`, json(`${'x'.repeat(300_000)}\n`));
  assert.equal(whole.shown.at(-1), `${S} stdout next`);
  for (const cut of [1, 65_536, 196_608, 196_609, 250_000, bytes.length - 1]) {
    assert.ok(read([bytes.subarray(0, cut), bytes.subarray(cut)], JSON_FILE).run.equals(whole.run), `cut at ${cut}`);
  }
});

test('any lines in any pieces: the same entries, and the chain of all of them', () => {
  const pieces = fc.constantFrom(
    `${T} `,
    'stdout ',
    'stderr ',
    'P ',
    'F ',
    'a',
    '\n',
    '\r\n',
    '\0',
    '{"log":"',
    '"}',
    ' ',
  );
  const texts = fc.array(
    fc.array(pieces, { maxLength: 20 }).map((some) => Buffer.from(some.join(''))),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(texts, fc.constantFrom(CRI, JSON_FILE), (some, format) => {
      const cut = read(some, format);
      const whole = read([Buffer.concat(some)], format);
      assert.deepEqual(cut.run, whole.run);
      let chain: Uint8Array = chainStart('a', '0');
      for (let at = 0; at < cut.run.length;) {
        const end = entryEnd(cut.run, at, cut.run.length);
        chain = chainAfterEntry(chain, cut.run, at, end);
        at = end;
      }
      assert.equal(Buffer.from(chain).toString('hex'), cut.chain);
    }),
  );
});

test('metadata is no part of a name', () => {
  const content = Buffer.from('1970-01-01T00:00:01Z stdout P a\nnone\n1970-01-01T00:00:01Z stdout F b\nthe rest');
  const readWith = (
    metadata: (() => Uint8Array | null) | undefined,
  ): { chain: string; own: string; times: unknown[] } => {
    const source = { fields: { 'host.name': 'h' }, format: CRI, ...(metadata !== undefined && { metadata }) };
    const entries = new ContainerEntries(source, START);
    const writer = new MsgpackWriter(1024);
    const { at } = entries.take(writer, content, 0, content.length);
    const own = Buffer.from(entries.chain).toString('hex');
    entries.asLine(writer, content, at, content.length);
    const run = writer.take();
    let chain: Uint8Array = START.chain;
    for (let start = 0; start < run.length;) {
      const end = entryEnd(run, start, run.length);
      chain = chainAfterEntry(chain, run, start, end);
      start = end;
    }
    const times = [...decodeMulti(run)].map((entry) => (entry as [unknown, unknown])[0]);
    return { chain: Buffer.from(chain).toString('hex'), own, times };
  };
  const without = readWith(undefined);
  let calls = 0;
  const withSome = readWith(() => ((calls += 1) % 2 === 0 ? encode({ calls }) : null));
  assert.deepEqual([withSome.chain, withSome.own], [without.chain, without.own]);
  assert.equal(readWith(() => encode({ a: 'b' })).own, without.own);
  assert.deepEqual(withSome.times.map(Array.isArray), [false, false, false, true]);
  assert.deepEqual(
    readWith(() => encode({ a: 'b' })).times,
    without.times.map((time) => [time, { a: 'b' }]),
  );
});
