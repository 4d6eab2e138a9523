// Bodies of 48 MiB that come as a few kilobytes and are refused, or hold nothing: what they grew to is given back at
// once, not when the garbage collector comes, which in an idle process is never.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

const MIB = 1024 * 1024;
/** 62 to 112 MiB were seen, mostly of the garbage collector's own; 215 where nothing was given back. */
const GROWN_BYTES_MAX = 160 * MIB;

const bodies = [
  { path: '/v1/logs', type: 'application/x-protobuf', body: Buffer.alloc(48 * MIB, Buffer.of(0x12, 0)), status: 200 },
  {
    path: '/services/collector/ack',
    type: 'application/json',
    body: Buffer.from(`{"acks":[${'1,'.repeat(24 * MIB)}1]}`),
    status: 400,
  },
  {
    path: '/a.msgpack',
    type: 'application/msgpack',
    body: Buffer.alloc(36 * MIB, Buffer.of(0x81, 0xa1, 0x61, 1)),
    status: 413,
  },
] as const;

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

test('the memory of large bodies is given back when they are answered', async () => {
  await using place = await newPlace();
  await using sluice = await new SluiceProcess(['run'], place).ready();
  const post = async ({ path, type, body, status }: (typeof bodies)[number], packed: Buffer): Promise<void> => {
    const headers = { 'content-type': type, 'content-encoding': 'gzip', 'x-splunk-request-channel': 'a' };
    const url = `http://127.0.0.1:${place.http}${path}`;
    const answer = await fetch(url, { method: 'POST', body: Buffer.from(packed), headers });
    assert.equal(answer.status, status, `${await answer.text()}, ${body.length} bytes`);
  };
  const packed = bodies.map(({ body }) => gzipSync(body));
  const before = residentBytes(sluice.pid ?? 0);
  for (let round = 0; round < 2; round++) {
    for (const [i, body] of bodies.entries()) await post(body, packed[i] ?? Buffer.alloc(0));
  }
  const grown = residentBytes(sluice.pid ?? 0) - before;
  assert(grown < GROWN_BYTES_MAX, `it has grown by ${Math.round(grown / MIB)} MiB`);
});
