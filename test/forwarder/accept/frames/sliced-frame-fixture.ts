// A Forward session over the real intake and a queue that records, and frames of all kinds for it.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { decodeMulti, encode } from '@msgpack/msgpack';
import { startForwardServer } from '#forwarder/accept/forward/forward-server.ts';
import type { SessionOptions } from '#forwarder/accept/forward/session-options.ts';
import { FrameFiles } from '#forwarder/accept/frames/frame-files.ts';
import { RefusalPace } from '#forwarder/accept/turns/refusal-pace.ts';
import { SlicePasses } from '#forwarder/accept/frames/slice-passes.ts';
import { QueueIntake } from '#forwarder/intake/intake.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { ByteBudget, type Permit } from '#shared/byte-budget.ts';
import { systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { decompress } from '#shared/record/compression.ts';
import { decodeBatches } from '#shared/record/record.ts';
import { RecordingQueue } from '../../intake/recording-queue.ts';
import { forwardOptions, samples } from '../forward/forward-options.ts';
import { Answers } from '../forward/handshake-client.ts';

export const KIB = 1024;
export const MIB = 1024 * KIB;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

interface Given extends Partial<SessionOptions> {
  readonly filesBytesMax?: number;
  readonly folder?: string;
}

export async function setUp(t: TestContext, { filesBytesMax = 64 * MIB, folder, ...session }: Given = {}) {
  const metrics = new Metrics({ version: '0', command: 'test' });
  const telemetry = new ForwarderTelemetry(metrics, SILENT);
  const queue = new RecordingQueue();
  const intake = new QueueIntake({
    queue,
    clock: systemClock,
    telemetry,
    bytesMax: 16 * MIB,
    lingerMs: 0,
    sealBytes: 64 * KIB,
    openWaitMs: 1000,
  });
  const dir = folder ?? join(mkdtempSync(join(tmpdir(), 'sliced-')), 'incoming');
  const frameBytesMax = session.frameBytesMax ?? MIB;
  const files = new FrameFiles({ folder: dir, bytesMax: filesBytesMax, heldBytesMax: frameBytesMax });
  const pace = new RefusalPace({ clock: systemClock, heldMax: 100, unreadyReason: () => intake.unreadyReason });
  const limits = { files, ratioMax: 200, frameBytesMax, pace };
  const options = forwardOptions(intake, { telemetry }, { telemetry, ...limits, ...session });
  const server = await startForwardServer('127.0.0.1:0', options);
  const atOnce = { now: 0, most: 0 };
  const acceptSlices = intake.acceptSlices.bind(intake);
  intake.acceptSlices = async (...chunk) => {
    atOnce.now += 1;
    atOnce.most = Math.max(atOnce.most, atOnce.now);
    await acceptSlices(...chunk).finally(() => (atOnce.now -= 1));
  };
  let closed: Promise<void> | null = null;
  const close = (): Promise<void> => (closed ??= server.close());
  t.after(async () => {
    await close();
    rmSync(dir, { recursive: true, force: true });
  });
  const open = (): { socket: Socket; answers: Answers } => {
    const socket = connect(Number(server.address.split(':')[1]), '127.0.0.1');
    socket.on('error', () => undefined);
    t.after(() => socket.destroy());
    return { socket, answers: new Answers(socket) };
  };
  const value = async (name: string): Promise<number> => {
    const line = (await metrics.render()).body.split('\n').find((text) => text.startsWith(`sluice_${name}`));
    return Number(line?.split(' ').at(-1) ?? Number.NaN);
  };
  return {
    queue,
    intake,
    files,
    dir,
    open,
    metrics,
    value,
    close,
    atOnce,
    counted: (name: string) => samples(metrics, name),
  };
}

/** What the queue holds, by `id-index`, in order. */
export async function heldOf(queue: RecordingQueue): Promise<Map<string, unknown>> {
  const held = new Map<string, unknown>();
  for (const { records } of queue.appends) {
    for (const { encoding, batches, value } of records) {
      const entries = [...decodeMulti(await decompress(value, encoding, 64 * MIB))];
      for (const { id, first, count } of decodeBatches(batches) ?? []) {
        for (let i = 0; i < count; i += 1) held.set(`${id.toHex()}-${first + i}`, entries.shift());
      }
      assert.equal(entries.length, 0, 'the counts are those of the entries');
    }
  }
  return held;
}

export const logsOf = (held: ReadonlyMap<string, unknown>): unknown[] =>
  [...held.values()].map((entry) => (entry as [unknown, { log: unknown }])[1].log);
export const indexesOf = (held: ReadonlyMap<string, unknown>): number[] =>
  [...held.keys()].map((name) => Number(name.split('-')[1]));
export const idsOf = (held: ReadonlyMap<string, unknown>): string[] => [
  ...new Set([...held.keys()].map((name) => name.split('-')[0] ?? '')),
];

export const entry = (log: unknown): Buffer => Buffer.from(encode([1_700_000_000, { log }]));
export const binOf = (bytes: Buffer): Buffer => {
  const header = Buffer.alloc(5, 0xc6);
  header.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
};
/** As Fluentd sends a chunk of its buffer. */
export const packed = (run: Buffer, option: Record<string, unknown> = { chunk: 'id' }): Buffer =>
  Buffer.concat([Buffer.of(0x93), encode('app'), binOf(run), encode(option)]);
export const forward = (entries: readonly Buffer[]): Buffer => {
  const header = Buffer.alloc(5, 0xdd);
  header.writeUInt32BE(entries.length, 1);
  return Buffer.concat([Buffer.of(0x93), encode('app'), header, ...entries, encode({ chunk: 'id' })]);
};

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const [A, B, C] = [entry('a'), entry('b'), entry('c')];
export const NIL = Buffer.of(0xc0);
export const NO_MAP = Buffer.from(encode([1, 'no map']));

export const lines = (bytes: number): string[] =>
  Array.from(
    { length: Math.ceil(bytes / 160) },
    (_, i) => `line ${i} ${crypto.randomUUID()} ${'lorem ipsum '.repeat(7)}`,
  );
export const GZIP = { chunk: 'id', compressed: 'gzip' };
export const LARGE = lines(3 * MIB);
export const LARGE_RUN = Buffer.concat(LARGE.map(entry));

export class WatchedBudget extends ByteBudget {
  most = 0;

  override take(bytes: number): Permit {
    const permit = super.take(bytes);
    this.most = Math.max(this.most, this.bytesHeld);
    return permit;
  }
}

/** As the process makes them: what passes may take lies beside what the largest thing may. */
export function passesBeside(bytes: number) {
  const unpacking = new WatchedBudget(18 * MIB + bytes);
  return { unpacking, passes: new SlicePasses({ unpacking, bytesMax: 18 * MIB }) };
}

export const ZSTD = { chunk: 'id', compressed: 'zstd' };
export const BOMB = packed(
  zstdCompressSync(Buffer.concat(Array.from({ length: 8000 }, () => entry('x'.repeat(1000))))),
  ZSTD,
);
