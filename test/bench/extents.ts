// How fast the ends of msgpack values are found: the floor under everything that the edge does.
// Run alone: `node test/bench/extents.ts`.

import { countEntries } from '#shared/msgpack/extents.ts';
import { FrameScanner, NEED_MORE } from '#shared/msgpack/frame-scanner.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';

const ENTRIES = 3000;
const ROUNDS = 100;

export async function run(): Promise<void> {
  const run = containerLogs(ENTRIES);
  report('entries of a packed chunk', run.length * ROUNDS, ENTRIES * ROUNDS, () => {
    for (let round = 0; round < ROUNDS; round += 1) countEntries(run, 0, run.length);
  });

  const frames = messageFrames(ENTRIES);
  report('message frames in pieces of 64 KiB', frames.length * ROUNDS, ENTRIES * ROUNDS, () => {
    const scanner = new FrameScanner({ frameBytesMax: 64 * 1024 * 1024 });
    for (let round = 0; round < ROUNDS; round += 1) {
      for (let at = 0; at < frames.length; at += 65_536) {
        scanner.push(frames.subarray(at, at + 65_536));
        while (scanner.next() !== NEED_MORE);
      }
    }
  });
}

function report(what: string, bytes: number, entries: number, work: () => void): void {
  work(); // Once for the compiler.
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6;
  const speed = `${(bytes / seconds / 1e9).toFixed(2)} GB/s, ${(entries / seconds / 1e6).toFixed(2)} M entries per CPU-second`;
  console.log(`${what} (${Math.round(bytes / entries)} bytes each): ${speed}`);
}

/** What Docker's driver sends for a line of some 150 bytes. */
function containerLogs(count: number): Buffer {
  const writer = new MsgpackWriter();
  for (let i = 0; i < count; i += 1) {
    writer.arrayHeader(2);
    containerLog(writer, i);
  }
  return writer.take();
}

function messageFrames(count: number): Buffer {
  const writer = new MsgpackWriter();
  for (let i = 0; i < count; i += 1) {
    writer.arrayHeader(3);
    writer.string('docker.4f1c8d4a9c3e');
    containerLog(writer, i);
  }
  return writer.take();
}

function containerLog(writer: MsgpackWriter, i: number): void {
  writer.eventTime(1_700_000_000 + i, i);
  writer.mapHeader(4);
  writer.string('container_id');
  writer.string('4f1c8d4a9c3e5b7d8e9f0a1b2c3d4e5f60718293a4b5c6d7e8f9a0b1c2d3e4f5');
  writer.string('container_name');
  writer.string('/shop-checkout-1');
  writer.string('source');
  writer.string('stdout');
  writer.string('log');
  writer.string(`2026-01-02T03:04:05.678Z INFO order ${i} accepted: ${'x'.repeat(100)} in 12.5 ms`);
}

if (import.meta.main) await run();
