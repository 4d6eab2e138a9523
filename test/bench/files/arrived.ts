// What of a bench's lines is in a topic, in whatever form a collector wrote its records: how many are missing, how many
// are there twice, and how long each was on its way from its write to the broker's log.

import type { Config } from '#shared/config/settings.ts';
import { createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { readTopic } from '#shared/queue/kafka/kafka-read.ts';
import { decompress } from '#shared/record/compression.ts';
import { findLines, writtenMs } from './lines.ts';

const UNPACKED_BYTES_MAX = 256 * 1024 * 1024;
const ZSTD_MAGIC = 0xfd2fb528;
const quiet = { debug: () => undefined };

export interface Arrived {
  readonly records: number;
  readonly lines: number;
  readonly lost: number;
  readonly doubled: number;
  /** Sorted; empty where they were not wanted. */
  readonly delaysMs: Float64Array;
}

export interface Expected {
  readonly files: number;
  readonly lines: number;
  readonly wantsDelays: boolean;
}

/** `lines`: of all files, each of which has as many as the others, or one more. */
export async function arrivedIn(config: Config, { files, lines: total, wantsDelays }: Expected): Promise<Arrived> {
  const perFile = Math.ceil(total / files);
  const counts = new Uint8Array(files * perFile);
  const delaysMs = new Float64Array(wantsDelays ? total : 0);
  let [records, lines, doubled] = [0, 0, 0];
  for await (const { value, timestampMs } of allRecords(config)) {
    records += 1;
    const bytes = await unpacked(value);
    findLines(bytes, (file, number, at) => {
      if (file >= files || number >= perFile) throw new Error(`line ${number} of file ${file} was never written`);
      const place = file * perFile + number;
      if (counts[place] === 1) doubled += 1;
      else if (wantsDelays) delaysMs[lines - doubled] = timestampMs - writtenMs(bytes, at);
      counts[place] = 1;
      lines += 1;
    });
  }
  const once = lines - doubled;
  return { records, lines, lost: total - once, doubled, delaysMs: delaysMs.subarray(0, once).sort() };
}

async function* allRecords(config: Config) {
  const kafka = createClient(config, quiet);
  const withAdmin = async <T>(work: (admin: ReturnType<typeof kafka.admin>) => Promise<T>): Promise<T> => {
    const admin = kafka.admin();
    await admin.connect();
    return work(admin).finally(() => admin.disconnect());
  };
  const { 'kafka.topic': topic, 'kafka.group': group } = config;
  yield* readTopic({ kafka, topic, group, fromMs: undefined, toMs: undefined, signal: undefined, withAdmin });
}

/** Sluice compresses the value of a record; others compress batches of them, which the client has unpacked. */
async function unpacked(value: Uint8Array): Promise<Buffer> {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const isZstd = bytes.length >= 4 && bytes.readUInt32LE(0) === ZSTD_MAGIC;
  return isZstd ? decompress(bytes, 'zstd', UNPACKED_BYTES_MAX) : bytes;
}
