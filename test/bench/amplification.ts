// The costliest bodies that are known, by dialect: what a byte of them, uncompressed, costs of the processor's time and
// of memory where they are converted; then, by the whole way into the embedded store, what they cost in all, on the
// disk too (parts/amplification-whole.ts). The slope between a small and a large body, so that what is paid once does
// not count.

import { conversions } from '#forwarder/dialects/conversions.ts';
import { SluiceError } from '#shared/errors.ts';
import { runWhole } from './parts/amplification-whole.ts';

const SMALL_BYTES = 1024 * 1024;
const LARGE_BYTES = 4 * SMALL_BYTES;
const CPU_US_MAX = 2;
const MEMORY_BYTES_MAX = 8;

const limits = { time: { seconds: 1, nanoseconds: 0 }, bytesMax: 64 * 1024 * 1024 };

interface Case {
  readonly name: string;
  readonly body: (bytes: number) => Buffer;
  readonly convert: (body: Buffer) => unknown;
}

/** `piece` again and again between two ends. */
function repeated(head: string, piece: string, tail = ''): (bytes: number) => Buffer {
  return (bytes) => Buffer.from(head + piece.repeat(Math.floor(bytes / piece.length)).replace(/,$/, '') + tail);
}

const otlpHead = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[';
const anyValue = '{"arrayValue":{"values":[';
const nestedHead = `${otlpHead}{"body":${anyValue.repeat(25)}`;
const nestedTail = `${']}}'.repeat(25)}}]}]}]}`;
const json = (body: Buffer): unknown => conversions.body(body, { ...limits, takeTime: true, format: 'json' });
const bulk = (body: Buffer): unknown => conversions.bulk(body, { ...limits, index: 'i' });
const otlp = (body: Buffer): unknown => conversions.otlpJson(body, limits);

const cases: readonly Case[] = [
  { name: 'bulk: delete', body: repeated('', `{"delete":{"_id":"${'x'.repeat(40)}"}}\n`), convert: bulk },
  { name: 'bulk: ids', body: repeated('', `{"create":{"_id":"y"}}\n{"a":"${'x'.repeat(40)}"}\n`), convert: bulk },
  { name: 'otlp json: records that are none', body: repeated(otlpHead, '0,', ']}]}]}'), convert: otlp },
  { name: 'otlp json: nested values', body: repeated(nestedHead, '{"intValue":1},', nestedTail), convert: otlp },
  { name: 'json: nested arrays', body: repeated(`{"a":${'['.repeat(90)}`, '0,', `${']'.repeat(90)}}`), convert: json },
  { name: 'json: empty records', body: repeated('[', '{},', ']'), convert: json },
  { name: 'hec: small events', body: repeated('', '{"event":1}'), convert: (body) => conversions.hec(body, limits) },
];

interface Spent {
  readonly us: number;
  readonly bytes: number;
  /** Nothing is made of it; what it cost to find that out counts. */
  readonly isRefused: boolean;
}

function spent(convert: (body: Buffer) => unknown, body: Buffer): Spent {
  const memory = memoryNow();
  const began = process.threadCpuUsage();
  const converted = unlessRefused(() => convert(body));
  const { user, system } = process.threadCpuUsage(began);
  const bytes = memoryNow() - memory;
  return { us: user + system, bytes: converted ? bytes : 0, isRefused: converted === null };
}

function unlessRefused(convert: () => unknown): unknown {
  try {
    return convert();
  } catch (error) {
    if (error instanceof SluiceError) return null;
    throw error;
  }
}

function memoryNow(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

export async function run(): Promise<void> {
  console.log(`amplification: limits per byte: ${CPU_US_MAX} us, ${MEMORY_BYTES_MAX} bytes of memory`);
  for (const { name, body, convert } of cases) {
    const small = body(SMALL_BYTES);
    const large = body(LARGE_BYTES);
    spent(convert, small);
    const one = spent(convert, small);
    const four = spent(convert, large);
    const us = (four.us - one.us) / (large.length - small.length);
    const bytes = (four.bytes - one.bytes) / (large.length - small.length);
    const refused = four.isRefused ? '; refused' : '';
    console.log(`amplification ${name}: ${us.toFixed(3)} us, ${bytes.toFixed(1)} bytes of memory${refused}`);
  }
  await runWhole();
}

if (import.meta.main) await run();
