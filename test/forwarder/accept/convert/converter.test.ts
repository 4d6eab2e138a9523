// Large bodies are converted in a thread of their own: to the same entries, and none at the others' cost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compress } from 'snappyjs';
import { Converter } from '#forwarder/accept/convert/converter.ts';
import { type ConversionName, type ConversionOptions, conversions } from '#forwarder/dialects/conversions.ts';
import { LARGE_BODY_BYTES } from '#forwarder/accept/turns/large-body-slots.ts';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';

const options = { time: { seconds: 1, nanoseconds: 0 }, bytesMax: 64 * 1024 * 1024 };
const otlp = (records: number): Buffer => {
  const record = '{"body":{"stringValue":"a line"},"attributes":[{"key":"k","value":{"intValue":"7"}}]}';
  const list = Array.from({ length: records }, () => record).join(',');
  return Buffer.from(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[${list}]}]}]}`);
};

/** As objects that can be compared: views become their bytes. */
function plain(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

test('in the thread a body becomes what it becomes here, and is moved', async () => {
  await using converter = new Converter({ clock: systemClock, threaded: true, inlineBytesMax: 0 });
  const check = async <N extends ConversionName>(name: N, body: Buffer, given: ConversionOptions<N>): Promise<void> => {
    const here = conversions[name] as (body: Buffer, options: ConversionOptions<N>) => unknown;
    const expected = plain(here(Buffer.from(body), given));
    assert.deepEqual(plain(await converter.convert(name, body, given)), expected, name);
  };
  const large = otlp(2000);
  await check('otlpJson', large, options);
  assert.equal(large.length, 0, 'it was moved, not copied');
  await check('otlpProtobuf', Buffer.from('no protobuf'), options);
  const bulk = '{"create":{"_id":"x"}}\n{"a":1}\n{"delete":{}}\n{"index":{"_index":"b"}}\n{}\n';
  await check('bulk', Buffer.from(bulk.repeat(100)), { ...options, index: 'i' });
  await check('bulk', Buffer.from('{"delete":{}}\n'), { ...options, index: 'i' });
  await check('hec', Buffer.from('{"event":"a"}'), options);
  await check('hecRaw', Buffer.from('a\nb\n'), {
    ...options,
    metadata: { host: 'h', source: '', sourcetype: '', index: '' },
  });
  await check('lokiJson', Buffer.from('{"streams":[]}'), options);
  await check('lokiProtobuf', Buffer.from('no snappy'), options);
  await check('body', Buffer.from('{"a":1}\n'), { ...options, takeTime: true, format: 'ndjson' });
  await check('body', Buffer.from('{"a":'), { ...options, takeTime: true, format: 'json' });
});

test('a body that costs too much is refused with its thread; those behind it are converted', async () => {
  let budgetMs = 0;
  const limits = { budgetMs: () => budgetMs, inlineBytesMax: 0 };
  await using converter = new Converter({ clock: systemClock, threaded: true, ...limits });
  const costly = converter.convert('otlpJson', otlp(100_000), options);
  await assert.rejects(costly, (error) => error instanceof SluiceError && error.code === 'body_too_costly');
  budgetMs = 60_000;
  const [first, second] = await Promise.all([
    converter.convert('otlpJson', otlp(10), options),
    converter.convert('otlpJson', otlp(20), options),
  ]);
  assert.deepEqual([first.kind === 'records' && first.count, second.kind === 'records' && second.count], [10, 20]);
});

test('a body of a usual size does not wait for large ones', async () => {
  await using converter = new Converter({ clock: systemClock, threaded: true });
  const done: string[] = [];
  const large = [1, 2, 3].map(async (number) => {
    const body = otlp(100_000);
    assert(body.length > LARGE_BODY_BYTES);
    await converter.convert('otlpJson', body, options);
    done.push(`large ${number}`);
  });
  await converter.convert('otlpJson', otlp(1000), options);
  done.push('usual');
  await Promise.all(large);
  assert(done.indexOf('usual') < 2, done.join());
});

test('a packed body is as large as what is in it', async () => {
  await using converter = new Converter({ clock: systemClock, threaded: true });
  // A stream of entries without fields: 20,000 records from 2 KB.
  const entries = Buffer.alloc(100_000, Buffer.from([0x12, 0x03, 0x12, 0x01, 0x78]));
  const head = Buffer.from([0x0a, 0xa0, 0x8d, 0x06]);
  // In a buffer of its own: one of the pool would be copied.
  const body = Buffer.from(new Uint8Array(compress(Buffer.concat([head, entries]))).buffer);
  assert(body.length < 8192, `${body.length} bytes`);
  await converter.convert('lokiProtobuf', body, options);
  assert.equal(body.length, 0, 'it was moved to the thread');
});

test('small bodies, and those of who has one request at a time, are converted here', async () => {
  await using converter = new Converter({ clock: systemClock, threaded: false });
  const large = otlp(10_000);
  const { length } = large;
  const converted = await converter.convert('otlpJson', large, options);
  assert(converted.kind === 'records' && converted.count === 10_000);
  assert.equal(large.length, length);
});
