// `sluice cat`: the queue's events as JSON lines, for everyone who wants to read them without knowing msgpack.
// Reads without a group and commits nothing. A record that can't be read is told on stderr and passed over.

import { parseArgs } from 'node:util';
import { KeyStack } from '#indexer/parse/fields.ts';
import { JsonBuffer } from '#indexer/parse/json-buffer.ts';
import { JsonTranscoder } from '#indexer/parse/json-value.ts';
import { unpack } from '#indexer/unpack.ts';
import { SluiceError } from '#shared/errors.ts';
import { timeEnd } from '#shared/msgpack/extents.ts';
import { openQueue } from '#shared/queue/open.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import { documentId } from '#shared/record/identity.ts';
import { type Batch, decodeBatches } from '#shared/record/record.ts';
import type { CommandContext } from '../command.ts';
import { Output } from '../output/output.ts';
import { timeArgument } from './time-argument.ts';

export const help = `Usage: sluice cat [--topic logs|dead-letters] [--from TIME] [--to TIME]

Prints the queue's events as JSON lines, up to its end as of now. Reads without a group; changes nothing.

  --topic   logs (default), or dead-letters: what could not be indexed, with the reason
  --from    Records that the queue took at or after this time: 10m, 2h, 3d (ago), RFC 3339, or Unix seconds
  --to      Records before this time
`;

/** As much as the edge lets through, whatever the setting is now. */
const VALUE_BYTES_MAX = 512 * 1024 * 1024;

export async function run(args: string[], { config, stdout, stderr, signal, clock }: CommandContext): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { topic: { type: 'string', default: 'logs' }, from: { type: 'string' }, to: { type: 'string' } },
  });
  const { topic } = values;
  if (topic !== 'logs' && topic !== 'dead-letters') {
    throw new SluiceError('usage_wrong', `Cannot read the topic "${topic}": it is neither logs nor dead-letters`);
  }
  const nowMs = clock.epochMs();
  const range = {
    ...(values.from === undefined ? {} : { fromMs: Date.parse(timeArgument('--from', values.from, nowMs)) }),
    ...(values.to === undefined ? {} : { toMs: Date.parse(timeArgument('--to', values.to, nowMs)) }),
  };
  await using queue = await openQueue(config, {
    clock,
    readOnly: true,
    warn: (line) => stderr.write(`sluice: ${line}\n`),
  });
  const print = new EventPrinter();
  const output = new Output({ stdout, stderr });
  for await (const record of queue.read({ topic, signal, ...range })) {
    if (output.closed) break;
    if (topic === 'dead-letters') await output.write(print.letter(record));
    else await printRecord(record);
  }
  return 0;

  async function printRecord(record: FetchedRecord): Promise<void> {
    const unpacked = await unpack(record, { bytesMax: VALUE_BYTES_MAX });
    if (unpacked.kind === 'unreadable') {
      stderr.write(`sluice: ${unpacked.error} (partition ${record.partition}, offset ${record.offset})\n`);
      return;
    }
    let entry = 0;
    let start = 0;
    for (const batch of unpacked.batches) {
      for (let k = 0; k < batch.count; k++) {
        const end = unpacked.ends[entry++] ?? 0;
        await output.write(print.event(record, batch, batch.first + k, unpacked.bytes.subarray(start, end)));
        start = end;
      }
    }
  }
}

class EventPrinter {
  readonly #json = new JsonBuffer();
  readonly #transcoder = new JsonTranscoder(this.#json, new KeyStack());

  /** `entry`: `[time, record]`. */
  event(record: FetchedRecord, batch: Batch, index: number, entry: Uint8Array): string {
    return `{${position(record)},${named(batch, index)},${this.#pair(entry)}}\n`;
  }

  /** An event's letter has its entry; that of a whole chunk has its bytes, as base64. */
  letter({ partition, offset, headers, value }: FetchedRecord): string {
    const text = (name: string): string => Buffer.from(headers[name] ?? []).toString('utf8');
    const batch = decodeBatches(headers['batches'] ?? new Uint8Array())?.[0];
    const index = headers['index'] ? Number(text('index')) : null;
    const about = { reason: text('reason'), error: text('error'), from: text('from') };
    const what =
      index === null
        ? `"bytes":"${Buffer.from(value).toString('base64')}","cut":${text('cut') === '1'}`
        : this.#pair(value);
    const name = batch ? `${named(batch, index ?? batch.first)},` : '';
    return `{${position({ partition, offset })},${JSON.stringify(about).slice(1, -1)},${name}${what}}\n`;
  }

  #pair(entry: Uint8Array): string {
    const timeStart = entry[0] === 0x92 ? 1 : entry[0] === 0xdc ? 3 : 5;
    const recordStart = timeEnd(entry, timeStart, entry.length);
    if (recordStart < 0) return `"bytes":"${Buffer.from(entry).toString('base64')}"`;
    return `"time":${this.#value(entry, timeStart)},"record":${this.#value(entry, recordStart)}`;
  }

  #value(bytes: Uint8Array, at: number): string {
    this.#json.at = 0;
    this.#transcoder.source(bytes);
    this.#transcoder.value(at, 0);
    return this.#json.bytes.toString('utf8', 0, this.#json.at);
  }
}

function position({ partition, offset }: { partition: number; offset: number }): string {
  return `"partition":${partition},"offset":${offset}`;
}

function named({ id, tag, input, tenant, sender, receivedMs, seq }: Batch, index: number): string {
  const fields = {
    id: documentId(id, index),
    tag,
    input,
    tenant,
    sender,
    received: new Date(receivedMs).toISOString(),
    sequence: seq + index,
  };
  return JSON.stringify(fields).slice(1, -1);
}
