// One frame a line, by hand: every form and trap of facts.md ("Forward protocol, as senders really speak it").

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { ForwardDecoder } from '#forwarder/decode/forward/forward-frame.ts';
import { timeEnd, valueEnd } from '#shared/msgpack/extents.ts';
import { readStream } from './forward-stream.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const m = (value: unknown) => Buffer.from(encode(value));
/** An array of values that are encoded already. */
const array = (...parts: Buffer[]) => Buffer.concat([Buffer.from([0x90 | parts.length]), ...parts]);
const map = (...parts: Buffer[]) => Buffer.concat([Buffer.from([0x80 | (parts.length / 2)]), ...parts]);

const tag = m('app.web');
const time = m(1_700_000_000);
const eventTime = hex('d7 00 6553f100 00000001');
const record = m({ log: 'a line' });
const entry = array(time, record);
const run = Buffer.concat([entry, array(eventTime, record)]);
const asStr = (bytes: Buffer) => Buffer.concat([hex('d9'), Buffer.from([bytes.length]), bytes]);

describe('is taken', () => {
  /** `expected`: kind, entries, chunk id (msgpack, hex). */
  const check = (what: string, frame: Buffer, expected: [kind: string, count: number, chunk?: string]) =>
    test(what, async () => {
      const [seen, ...others] = await readStream([frame]);
      assert.equal(others.length, 0);
      assert.ok(seen !== undefined && typeof seen !== 'string', 'it is a frame');
      assert.ok(seen.kind !== 'malformed' && seen.kind !== 'signal', 'why' in seen ? seen.why : '');
      const [kind, count, chunk] = expected;
      assert.equal(seen.kind, kind);
      assert.equal(seen.count, count);
      assert.equal(seen.tag, 'app.web');
      assert.equal(seen.chunk?.toString('hex'), chunk?.replaceAll(' ', ''));
      // What is handed on are the entries' own bytes.
      if (seen.kind !== 'message') assert.ok(seen.run.includes(record));
    });

  check('a message', array(tag, time, record), ['message', 1]);
  check('a message at time 0', array(tag, m(0), record), ['message', 1]);
  check('a message at nil', array(tag, m(null), record), ['message', 1]);
  check('a message at a float', array(tag, m(1.5), record), ['message', 1]);
  check('a message at an EventTime', array(tag, eventTime, record), ['message', 1]);
  check('a message at an EventTime as ext 8', array(tag, hex('c7 08 00 6553f100 00000001'), record), ['message', 1]);
  check('a message with metadata', array(tag, array(eventTime, m({ a: 1 })), record), ['message', 1]);
  check('a message with an empty option', array(tag, time, record, m({})), ['message', 1]);
  check('a message with nil for its option', array(tag, time, record, m(null)), ['message', 1]);
  check('a message with a chunk id', array(tag, time, record, m({ chunk: 'abc' })), ['message', 1, 'a3 616263']);
  check('a message in an array 16', Buffer.concat([hex('dc 0003'), tag, time, record]), ['message', 1]);
  check('a message in an array 32', Buffer.concat([hex('dd 00000003'), tag, time, record]), ['message', 1]);
  check('a tag as bin', array(m(Buffer.from('app.web')), time, record), ['message', 1]);
  check('an empty record', array(tag, time, m({})), ['message', 1]);

  check('entries', array(tag, array(entry, entry)), ['forward', 2]);
  check('entries with an option', array(tag, array(entry), m({ size: 1, chunk: 'abc' })), ['forward', 1, 'a3 616263']);
  check('entries in an array 16', array(tag, Buffer.concat([hex('dc 0001'), entry])), ['forward', 1]);
  check('entries in an array 32', array(tag, Buffer.concat([hex('dd 00000001'), entry])), ['forward', 1]);
  check('entries with metadata', array(tag, array(array(array(eventTime, m({})), record))), ['forward', 1]);
  check('entries that say compressed', array(tag, array(entry), m({ compressed: 'gzip' })), ['forward', 1]);

  check('a packed run as bin', array(tag, m(run)), ['packed', 2]);
  check('a packed run as str', array(tag, asStr(run)), ['packed', 2]);
  check('a packed run, size wrong', array(tag, m(run), m({ size: 77 })), ['packed', 2]);
  check('a packed run, size a text', array(tag, m(run), m({ size: 'many' })), ['packed', 2]);
  check('a packed run with nil for its option', array(tag, m(run), m(null)), ['packed', 2]);
  check('a packed run that says text', array(tag, m(run), m({ compressed: 'text' })), ['packed', 2]);
  check(
    'a packed run of array 16s and 32s',
    array(tag, m(Buffer.concat([hex('dc 0002'), time, record, hex('dd 00000002'), time, record]))),
    ['packed', 2],
  );
  check(
    'fluent-bit: metadata',
    array(tag, m(array(array(eventTime, m({})), record)), m({ size: 1, fluent_signal: 0 })),
    ['packed', 1],
  );
  check('gzip', array(tag, m(gzipSync(run)), m({ compressed: 'gzip' })), ['packed', 2]);
  check('gzip as str', array(tag, asStr(gzipSync(run)), m({ compressed: 'gzip' })), ['packed', 2]);
  check(
    'gzip, two members',
    array(tag, m(Buffer.concat([gzipSync(entry), gzipSync(run)])), m({ compressed: 'gzip' })),
    ['packed', 3],
  );
  check(
    'gzip, members that do not end where entries end',
    array(tag, m(Buffer.concat([gzipSync(run.subarray(0, 5)), gzipSync(run.subarray(5))])), m({ compressed: 'gzip' })),
    ['packed', 2],
  );
  check('zstd', array(tag, m(zstdCompressSync(run)), m({ compressed: 'zstd' })), ['packed', 2]);
  check(
    'zstd, two frames',
    array(tag, m(Buffer.concat([zstdCompressSync(run), zstdCompressSync(entry)])), m({ compressed: 'zstd' })),
    ['packed', 3],
  );

  const fluentd = 'ZjQ1ZGI2MzMtYjU0Mi00MjQ3\n';
  check('fluentd: a chunk id that ends in a newline', array(tag, m(run), m({ chunk: fluentd })), [
    'packed',
    2,
    m(fluentd).toString('hex'),
  ]);
  check('a chunk id as bin', array(tag, m(run), m({ chunk: hex('00ff') })), ['packed', 2, 'c4 02 00ff']);
  check('a chunk id that is no UTF-8', array(tag, m(run), map(m('chunk'), hex('a2 fffe'))), ['packed', 2, 'a2 fffe']);
  check('a chunk id with a longer header than it needs', array(tag, m(run), map(m('chunk'), hex('da 0001 61'))), [
    'packed',
    2,
    'da 0001 61',
  ]);
  check('an empty chunk id', array(tag, m(run), m({ chunk: '' })), ['packed', 2, 'a0']);
  check('nil for the chunk id', array(tag, m(run), m({ chunk: null })), ['packed', 2]);
  check('two chunk ids: the last one', array(tag, m(run), map(m('chunk'), m('a'), m('chunk'), m('b'))), [
    'packed',
    2,
    'a1 62',
  ]);
  check('option keys as bin', array(tag, m(run), map(m(Buffer.from('chunk')), m('a'))), ['packed', 2, 'a1 61']);
  check('option keys that are no texts', array(tag, m(run), map(m(1), m(2), m(null), m([]), m('chunk'), m('a'))), [
    'packed',
    2,
    'a1 61',
  ]);
  check('options in a map 32', array(tag, m(run), Buffer.concat([hex('df 00000001'), m({ chunk: 'a' }).subarray(1)])), [
    'packed',
    2,
    'a1 61',
  ]);
  check('options that nobody knows', array(tag, m(run), m({ x: { y: [1] }, chunk: 'a', cunks: 1, abcdefghij: 2 })), [
    'packed',
    2,
    'a1 61',
  ]);

  check(
    'records of all sorts',
    array(
      tag,
      m(
        array(
          time,
          map(
            m(hex('ff')),
            hex('a2 fffe'),
            m('__proto__'),
            m(1),
            m('a'),
            m(1),
            m('a'),
            hex('cf ffffffffffffffff'),
            m(3),
            m(Number.NaN),
            m(''),
            m(-Infinity),
            m('log'),
            record,
          ),
        ),
      ),
    ),
    ['packed', 1],
  );
});

test('heartbeats are passed over', async () => {
  const frame = array(tag, time, record);
  const seen = await readStream([Buffer.concat([hex('c0 c0'), frame, hex('c0'), frame])]);
  assert.deepEqual(
    seen.map((one) => (typeof one === 'string' ? one : one.kind)),
    ['heartbeat', 'heartbeat', 'message', 'heartbeat', 'message'],
  );
});

describe('is refused', () => {
  /** `chunk`: the text of the chunk id that can still be told. */
  const check = (what: string, frame: Buffer, why: RegExp, chunk: string | null = null) =>
    test(what, async () => {
      const [seen] = await readStream([frame]);
      assert.ok(seen !== undefined && typeof seen !== 'string');
      assert.ok(seen.kind === 'malformed' || seen.kind === 'signal', seen.kind);
      assert.match(seen.why, why);
      assert.equal(seen.kind === 'signal', what.startsWith('signal'));
      assert.equal(seen.chunk === null ? null : decode(seen.chunk), chunk);
    });

  check('a map', m({}), /array or nil/);
  check('a number', m(1), /array or nil/);
  check('a text', m('HELO'), /array or nil/);
  check('an empty array', m([]), /2 to 4 elements, not 0/);
  check('a tag alone', array(tag), /2 to 4 elements, not 1/);
  check('five elements', array(tag, time, record, m({}), m({})), /2 to 4 elements, not 5/);
  check('a message without a record', array(tag, time), /no record/);
  check('a record that is a text', array(tag, time, m('x'), m({ chunk: 'a' })), /no map/, 'a');
  check('a record that is nil', array(tag, time, m(null)), /no map/);
  check('a time that is true', array(tag, m(true), record), /no time/);
  check('a time that is a map', array(tag, m({}), record), /no time/);
  check('an ext of another type for a time', array(tag, hex('d7 01 6553f100 00000001'), record), /no time/);
  check('an option that is a text', array(tag, m(run), m('chunk')), /option/);
  check('an option that is an array', array(tag, time, record, m([])), /option/);
  check('a chunk id that is a number', array(tag, m(run), m({ chunk: 5 })), /option/);
  check('a chunk id of 2 KiB', array(tag, m(run), m({ chunk: 'x'.repeat(2048) })), /option/);
  check('something behind the option', array(tag, m(run), m({ chunk: 'a' }), m(1)), /an option at most/);
  check('an empty tag', array(m(''), m(run), m({ chunk: 'a' })), /tag/, 'a');
  check('a tag that is no UTF-8', array(hex('a2 c328'), m(run), m({ chunk: 'a' })), /tag/, 'a');
  check('a tag of 1,025 bytes', array(m('x'.repeat(1025)), time, record, m({ chunk: 'a' })), /tag/, 'a');
  check('a tag that is a number', array(m(5), array(entry), m({ chunk: 'a' })), /tag/, 'a');
  check('a tag that is nil', array(m(null), time, record), /tag/);
  check(
    'a compression that nobody knows',
    array(tag, m(run), m({ compressed: 'lz4', chunk: 'a' })),
    /gzip nor zstd/,
    'a',
  );
  check('signal: metrics', array(tag, m(run), m({ fluent_signal: 1, chunk: 'a' })), /signal is 1/, 'a');
  check('signal: traces', array(tag, m(run), m({ fluent_signal: 2 })), /signal is 2/);
  check('signal: one to come', array(tag, time, record, m({ fluent_signal: 300 })), /signal is 300/);
});

describe('is a frame whose entries are none', () => {
  const check = (what: string, frame: Buffer) =>
    test(what, async () => {
      const [seen] = await readStream([frame]);
      assert.ok(seen !== undefined && typeof seen !== 'string' && seen.kind !== 'malformed' && seen.kind !== 'signal');
      assert.ok(seen.count < 0);
      assert.equal(seen.chunkId?.toString(), 'a');
    });

  const option = (fields: object = {}) => m({ chunk: 'a', ...fields });
  check('cut', array(tag, m(run.subarray(0, -1)), option()));
  check('with a byte left over', array(tag, m(Buffer.concat([run, hex('92')])), option()));
  check('an entry of three', array(tag, array(m([1, {}, {}])), option()));
  check('records that are texts', array(tag, m(m([1, 'x'])), option()));
  check('gzip that is none', array(tag, m(run), option({ compressed: 'gzip' })));
  check('gzip that is cut', array(tag, m(gzipSync(run).subarray(0, -4)), option({ compressed: 'gzip' })));
  check(
    'gzip with garbage behind it',
    array(tag, m(Buffer.concat([gzipSync(run), hex('00')])), option({ compressed: 'gzip' })),
  );
  check(
    'zstd with garbage behind it',
    array(tag, m(Buffer.concat([zstdCompressSync(run), hex('28b5')])), option({ compressed: 'zstd' })),
  );
  check('gzip where zstd was said', array(tag, m(gzipSync(run)), option({ compressed: 'zstd' })));
  check('a bomb', array(tag, m(gzipSync(Buffer.alloc(2 * 1024 * 1024))), option({ compressed: 'gzip' })));
});

test('empty runs hold nothing', async () => {
  for (const frame of [
    array(tag, m([])),
    array(tag, m(Buffer.alloc(0))),
    array(tag, m(gzipSync('')), m({ compressed: 'gzip' })),
  ]) {
    const [seen] = await readStream([frame]);
    assert.ok(typeof seen === 'object' && 'count' in seen);
    assert.equal(seen.count, 0);
  }
});

test('the tag is read anew when it changes', () => {
  const decoder = new ForwardDecoder();
  const tags = ['a', 'a', 'b', 'ab', 'ünï', 'ünï', 'a'];
  const read = tags.map((text) => {
    const frame = decoder.decode(array(m(text), time, record));
    return frame.kind === 'message' ? frame.tag : frame.kind;
  });
  assert.deepEqual(read, tags);
});

test('never throws, and its extents lie inside the frame', () => {
  const decoder = new ForwardDecoder();
  const part = fc.oneof(
    fc.constantFrom(
      tag,
      time,
      record,
      entry,
      m(run),
      m({ chunk: 'a' }),
      m({ compressed: 'gzip' }),
      hex('c0'),
      array(entry),
      hex('d70000'),
    ),
    fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(fc.integer({ min: 0x90, max: 0x95 }), fc.array(part, { maxLength: 5 }), (header, parts) => {
      const bytes = Buffer.concat([Buffer.from([header]), ...parts]);
      const frame = decoder.decode(bytes);
      // What is no whole value never comes here, for the scanner cuts frames; it must do no more than not throw.
      if (!('start' in frame) || valueEnd(bytes, 0, bytes.length) !== bytes.length) return;
      assert.ok(frame.start > 0 && frame.start <= frame.end && frame.end <= bytes.length);
      if (frame.kind !== 'message') return;
      assert.equal(valueEnd(bytes, timeEnd(bytes, frame.start, bytes.length), bytes.length), frame.end);
    }),
    { numRuns: 3000 },
  );
});
