import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { compress } from 'snappyjs';
import { jsonStreams } from '#forwarder/dialects/loki/json.ts';
import { parseLabels } from '#forwarder/dialects/loki/labels.ts';
import { protobufStreams } from '#forwarder/dialects/loki/protobuf.ts';
import { snappySize, unpackSnappy } from '#shared/record/snappy.ts';
import type { LokiStreams } from '#forwarder/dialects/loki/streams.ts';
import { countEntries } from '#shared/msgpack/extents.ts';
import { OPTIONS, decoded } from '../decode/http/http-entries.ts';

interface Stream {
  readonly stream: Record<string, string>;
  readonly values: (readonly [ns: string, line: string, metadata?: Record<string, string>])[];
}

function entriesOf(streams: LokiStreams): unknown[] {
  assert(streams.kind === 'entries', JSON.stringify(streams));
  return decoded({ kind: 'entries', bytes: streams.entries, count: streams.count });
}

/** The same in protobuf, with its fields the other way round. */
function protobufOf(streams: readonly Stream[]): Buffer {
  const request = new BinaryWriter();
  for (const { stream, values } of streams) {
    request.uint32(0x0a).fork();
    for (const [ns, line, metadata] of values) {
      request.uint32(0x12).fork().uint32(0x12).string(line);
      for (const [name, value] of Object.entries(metadata ?? {})) {
        request.uint32(0x1a).fork().uint32(0x0a).string(name).uint32(0x12).string(value).join();
      }
      const time = BigInt(ns);
      request
        .uint32(0x0a)
        .fork()
        .uint32(0x08)
        .int64(time / 1_000_000_000n);
      request
        .uint32(0x10)
        .int32(Number(time % 1_000_000_000n))
        .join()
        .join();
    }
    const labels = Object.entries(stream).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    request
      .uint32(0x0a)
      .string(`{${labels.join(', ')}}`)
      .uint32(0x18)
      .uint64(7)
      .join();
  }
  return Buffer.from(request.finish());
}

function check(streams: readonly Stream[], expected: unknown[]): void {
  assert.deepEqual(entriesOf(jsonStreams(Buffer.from(JSON.stringify({ streams })), OPTIONS)), expected);
  assert.deepEqual(entriesOf(protobufStreams(protobufOf(streams), OPTIONS)), expected);
}

test('streams, in JSON and protobuf', () => {
  check([], []);
  check(
    [
      {
        stream: { app: 'shop', level: 'info' },
        values: [
          ['1700000000123456789', 'one'],
          ['1700000000123456790', 'two', { trace_id: '7', log: 'x' }],
        ],
      },
      { stream: { log: 'label' }, values: [['1000000000', 'é\n"']] },
    ],
    [
      ['1700000000.123456789', { app: 'shop', level: 'info', log: 'one' }],
      ['1700000000.123456790', { app: 'shop', level: 'info', trace_id: '7', 'labels.log': 'x', log: 'two' }],
      ['1.000000000', { 'labels.log': 'label', log: 'é\n"' }],
    ],
  );
  const pod = { namespace: 'n', pod: 'p', container: 'c', node_name: 'h', app: 'a' };
  check(
    [{ stream: pod, values: [['0', 'x']] }],
    [
      [
        '0.000000000',
        { kubernetes: { namespace_name: 'n', pod_name: 'p', container_name: 'c', host: 'h' }, app: 'a', log: 'x' },
      ],
    ],
  );
  check(
    [{ stream: { namespace: 'n', container: 'c' }, values: [['0', 'x']] }],
    [['0.000000000', { namespace: 'n', container: 'c', log: 'x' }]],
  );
});

test('labels as text', () => {
  const labels = (text: string, expected: unknown) => assert.deepEqual(parseLabels(text), expected, text);
  labels('{}', []);
  labels(' { } ', []);
  labels('{a="b"}', [['a', 'b']]);
  labels('{a="b", c = `d\\n"` ,}', [
    ['a', 'b'],
    ['c', 'd\\n"'],
  ]);
  labels(String.raw`{a="\"\\\n\t\x41\u00e9\U0001F600\101",b="}{,"}`, [
    ['a', '"\\\n\tA\u00e9\u{1f600}A'],
    ['b', '}{,'],
  ]);
  labels(String.raw`{a="\q\U00FFFFFF"}`, [['a', String.raw`\q\U00FFFFFF`]]);
  labels('{k8s.pod/name="x"}', [['k8s.pod/name', 'x']]);
  const malformed = (text: string, why: RegExp) => {
    const result = parseLabels(text);
    assert(typeof result === 'string', text);
    assert.match(result, why);
  };
  malformed('', /braces/);
  malformed('a="b"', /braces/);
  malformed('{a}', /name="value"/);
  malformed('{a=b}', /quotes/);
  malformed('{a="b}', /quotes/);
  malformed('{a="b\\"}', /quotes/);
  malformed('{a="b" c="d"}', /comma/);
  malformed('{1a="b"}', /name="value"/);
  malformed(`{${'a="b",'.repeat(257)}}`, /more than 256/);
  malformed(`{a="${'x'.repeat(70_000)}"}`, /longer than/);
  fc.assert(
    fc.property(fc.string(), fc.string(), (text, value) => {
      parseLabels(text);
      parseLabels(`{${text}}`);
      assert.deepEqual(parseLabels(`{a=${JSON.stringify(value)}}`), [['a', value]]);
    }),
  );
});

test('what is no push request', () => {
  const malformed = (streams: LokiStreams, why: RegExp) => {
    assert(streams.kind === 'malformed', JSON.stringify(streams));
    assert.match(streams.why, why);
  };
  const refused = (text: string, why: RegExp) => malformed(jsonStreams(Buffer.from(text), OPTIONS), why);
  const stream = (values: string) => `{"streams":[{"stream":{"a":"b"},"values":[${values}]}]}`;
  refused('', /ends/);
  refused('[]', /array of streams/);
  refused('{"streams":1}', /array of streams/);
  refused('{"streams":[1]}', /object of strings/);
  refused('{"streams":[{"stream":{"a":1},"values":[]}]}', /object of strings/);
  refused('{"streams":[{"stream":{"a":"b"}}]}', /values of a stream/);
  refused(stream('1'), /\[time, line\]/);
  refused(stream('["1"]'), /\[time, line\]/);
  refused(stream('["x","y"]'), /nanoseconds/);
  refused(stream('["-1","y"]'), /nanoseconds/);
  refused(stream('["99999999999999999999","y"]'), /nanoseconds/);
  refused(stream('["1",2]'), /line of a value/);
  refused(stream('["1","2",[]]'), /metadata/);
  refused(stream('["1","2",{"a":1}]'), /metadata/);
  assert.deepEqual(entriesOf(jsonStreams(Buffer.from(stream('[1,"x"]')), OPTIONS)), [
    ['0.000000001', { a: 'b', log: 'x' }],
  ]);
  malformed(protobufStreams(Buffer.from('hello'), OPTIONS), /wrong at byte/);
  const labelled = new BinaryWriter().uint32(0x0a).fork().uint32(0x0a).string('{a}').join().finish();
  malformed(protobufStreams(Buffer.from(labelled), OPTIONS), /name="value"/);
  const large = [{ stream: { a: 'x'.repeat(60_000) }, values: Array.from({ length: 100 }, () => ['0', ''] as const) }];
  assert.equal(protobufStreams(protobufOf(large), OPTIONS).kind, 'too_large');
});

test('Snappy, within bounds', () => {
  const unpacks = (bytes: Buffer) => {
    const result = unpackSnappy(compress(bytes), 1 << 20);
    assert(result.kind === 'bytes');
    assert.deepEqual(result.bytes, bytes);
  };
  unpacks(Buffer.alloc(0));
  unpacks(Buffer.from('hello'));
  unpacks(Buffer.alloc(300_000, 'ab'));
  unpacks(Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7919) & 0xff)));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => unpacks(Buffer.from(bytes))));
  const check = (hex: string, kind: string) =>
    assert.equal(unpackSnappy(Buffer.from(hex, 'hex'), 1000).kind, kind, hex);
  check('', 'malformed');
  check('ff', 'malformed');
  check('ffffffffff', 'malformed');
  check('ffffffff0f', 'too_large');
  check('e907', 'too_large');
  check('0100', 'malformed');
  check('010061', 'bytes');
  check('020061', 'malformed');
  check('01006100', 'malformed');
  // A literal of 2^32 - 16 bytes, at which snappyjs would go back for ever.
  check('0100 61 fc f0ffffff'.replaceAll(' ', ''), 'malformed');
  check('0100fcf0ffffff', 'malformed');
  // A copy from before the beginning.
  check('040501', 'malformed');
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => void unpackSnappy(Buffer.from(bytes), 1000)),
    { numRuns: 2000 },
  );
});

test('bytes cut anywhere and bytes of any kind never throw, and what is taken is entries', () => {
  const sound = (streams: LokiStreams) => {
    if (streams.kind === 'entries')
      assert.equal(countEntries(streams.entries, 0, streams.entries.length), streams.count);
  };
  const streams: Stream[] = [{ stream: { a: 'b' }, values: [['1', 'x', { c: 'd' }]] }];
  const protobuf = protobufOf(streams);
  const json = Buffer.from(JSON.stringify({ streams }));
  for (let end = 0; end < protobuf.length; end += 1) {
    sound(protobufStreams(Buffer.from(protobuf.subarray(0, end)), OPTIONS));
  }
  for (let end = 0; end < json.length; end += 1) {
    assert.equal(jsonStreams(Buffer.from(json.subarray(0, end)), OPTIONS).kind, 'malformed');
  }
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(protobuf.length - 1), fc.nat(255)), { maxLength: 4 }), (places) => {
      const bytes = Buffer.from(protobuf);
      for (const [at, value] of places) bytes[at] = value;
      sound(protobufStreams(bytes, OPTIONS));
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.json(), (text) => {
      sound(jsonStreams(Buffer.from(text), OPTIONS));
      sound(jsonStreams(Buffer.from(`{"streams":[{"stream":{},"values":[${text}]}]}`), OPTIONS));
    }),
  );
});

test('labels that many short lines share make no more of a body than it may become', () => {
  const of = (labelBytes: number, lines: number, line: string): LokiStreams['kind'] => {
    const values = Array.from({ length: lines }, (): readonly [string, string] => ['1', line]);
    const body = Buffer.from(JSON.stringify({ streams: [{ stream: { app: 'x'.repeat(labelBytes) }, values }] }));
    return jsonStreams(body, { ...OPTIONS, bytesMax: 64 * 1024 * 1024 }).kind;
  };
  assert.equal(of(4000, 5000, ''), 'entries', 'ordinary labels');
  assert.equal(of(20_000, 512, ''), 'entries', 'long ones of an ordinary number of lines');
  assert.equal(of(8000, 3000, ''), 'too_large');
  assert.equal(of(8000, 3000, 'x'.repeat(600)), 'entries', 'longer lines pay for them');
});

test('a few bytes do not say that they unpack to more than they can; what can unpack says so', () => {
  const claim = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7f]);
  assert.ok((snappySize(claim) ?? 0) < 1024);
  const zeros = Buffer.alloc(300_000);
  assert.equal(snappySize(Buffer.from(compress(zeros))), zeros.length);
  assert.equal(snappySize(Buffer.alloc(0)), null);
});
