// The load of the benchmarks: container log records of 320 bytes, as Docker's fluentd driver makes them, and the Forward frames that
// carry them. The lines are of several kinds, with numbers and ids that differ, so that zstd level 1 shrinks them some seven times, as it
// does with real ones.
//
//   packed    93 | tag | bin of entries | 82 size: n, chunk: 16 characters
//   gzip      93 | tag | bin of gzip    | 83 size: n, compressed: gzip, chunk: 16 characters
//   message   93 | tag | time | record                 and, where an ack is wanted: 94 … 81 chunk: 16 characters

import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';

export type Mode = 'packed' | 'gzip' | 'message';

/** Of an entry, [time, record], on average. */
export const ENTRY_BYTES = 320;
/** A chunk id is always so long and the last thing in its frame, so that a sender can write another into a frame made before. */
export const CHUNK_ID_BYTES = 16;

const NO_ID = '0'.repeat(CHUNK_ID_BYTES);

/** A run of `count` entries; those from `first` on, which differ from all others. */
export function entryRun(first: number, count: number): Buffer {
  const writer = new MsgpackWriter();
  for (let n = first; n < first + count; n++) {
    writer.arrayHeader(2);
    timeAndRecord(writer, n);
  }
  return writer.take();
}

/** A frame that wants an ack, with a chunk id of zeros to write over. */
export function chunkFrame(mode: Mode, tag: string, first: number, count: number): Buffer {
  const writer = new MsgpackWriter();
  if (mode === 'message') {
    assert(count === 1, 'a message is one event');
    writer.arrayHeader(4);
    writer.string(tag);
    timeAndRecord(writer, first);
    writer.mapHeader(1);
  } else {
    const run = entryRun(first, count);
    writer.arrayHeader(3);
    writer.string(tag);
    writer.binary(mode === 'gzip' ? gzipSync(run) : run);
    writer.mapHeader(mode === 'gzip' ? 3 : 2);
    writer.string('size');
    writer.integer(count);
    if (mode === 'gzip') {
      writer.string('compressed');
      writer.string('gzip');
    }
  }
  writer.string('chunk');
  writer.string(NO_ID);
  return writer.take();
}

/** `count` messages one after another that want no ack. */
export function messageFrames(tag: string, first: number, count: number): Buffer {
  const writer = new MsgpackWriter();
  for (let n = first; n < first + count; n++) {
    writer.arrayHeader(3);
    writer.string(tag);
    timeAndRecord(writer, n);
  }
  return writer.take();
}

function timeAndRecord(writer: MsgpackWriter, n: number): void {
  writer.eventTime(1_767_323_045 + Math.floor(n / 1000), (n % 1000) * 1_000_000 + (scatter(n) % 1_000_000));
  writer.mapHeader(4);
  writer.string('container_id');
  writer.string('4f1c8d4a9c3e5b7d8e9f0a1b2c3d4e5f60718293a4b5c6d7e8f9a0b1c2d3e4f5');
  writer.string('container_name');
  writer.string('/shop-checkout-1');
  writer.string('source');
  writer.string(n % 11 === 0 ? 'stderr' : 'stdout');
  writer.string('log');
  writer.string(line(n));
}

/** Lines of several lengths; 175 bytes on average. */
function line(n: number): string {
  const a = scatter(n);
  const at = `2026-01-02T03:${two(n / 60_000)}:${two(n / 1000)}.${String(n % 1000).padStart(3, '0')}Z`;
  const trace = hex(a) + hex(scatter(a));
  switch (a % 4) {
    case 0:
      return `${at} INFO  GET /api/v1/carts/${a % 900_000}/items?page=${a % 7} 200 ${a % 9000}B in ${a % 977}.${a % 10}ms node=n-${a % 37} trace=${trace} client=10.4.${a % 17}.${a % 251} agent="okhttp/4.12.0" route=cart-items`;
    case 1:
      return `${at} INFO  checkout.OrderService order ${a % 1_000_000} accepted for customer ${a % 700_001}: ${a % 9} items, total ${a % 500}.${two(a)} EUR, payment=card node=n-${a % 37} trace=${trace} from=eu-central-1`;
    case 2:
      return `${at} DEBUG pool.ConnectionPool lease ${hex(scatter(a + 1))} granted after ${a % 13}ms, active=${a % 40} idle=${a % 20} pool=orders-db host=db-${a % 5}.internal node=n-${a % 37} trace=${trace}`;
    default:
      return `${at} WARN  client.Retrying attempt ${1 + (a % 3)} of 3 failed for POST /v2/payments/${hex(scatter(a + 1))}/capture after ${a % 3000}ms: connection reset by peer node=n-${a % 37} trace=${trace}`;
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function two(value: number): string {
  return String(Math.floor(value) % 60).padStart(2, '0');
}

/** 32 bits that look random, and the same each time. */
function scatter(n: number): number {
  let bits = Math.imul(n ^ (n >>> 16), 0x45d9f3b);
  bits = Math.imul(bits ^ (bits >>> 15), 0x45d9f3b);
  return (bits ^ (bits >>> 16)) >>> 0;
}
