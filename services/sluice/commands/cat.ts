// `sluice cat`: the queue's events as JSON lines, for everyone who wants to read them without knowing msgpack.
// Reads without a group and commits nothing. A record that cannot be read is reported on stderr and skipped.

import { parseArgs } from 'node:util';
import { unpack } from '#indexer/unpack/unpack.ts';
import { SluiceError } from '#shared/errors.ts';
import { deadLetterName, readDeadLetter } from '#shared/queue/dead-letter.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { observeInWords } from '#shared/queue/queue-observer.ts';
import type { DeadLetterFragment, FetchedRecord } from '#shared/queue/queue.ts';
import { namedAlone } from '#shared/record/chain.ts';
import type { Batch } from '#shared/record/record.ts';
import { messageLine } from '../output/message-line.ts';
import type { CommandContext } from '../process/command.ts';
import { EntryJson, eventNames } from '../output/event-json.ts';
import { harmless } from '#shared/harmless.ts';
import { Output } from '../output/output.ts';
import { timeArgument } from '../dead-letters/time-argument.ts';

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
    observer: observeInWords((line) => stderr.write(messageLine(line))),
  });
  const print = new EventPrinter();
  const output = new Output({ stdout, stderr });
  const safe = (line: string): string => (stdout.isTTY === true ? harmless(line) : line);
  for await (const record of queue.read({ topic, signal, ...range })) {
    if (output.closed) break;
    if (record.timestampMs < (range.fromMs ?? -Infinity)) continue;
    if (topic === 'dead-letters') await output.write(safe(print.letter(record)));
    else await printRecord(record);
  }
  return 0;

  async function printRecord(record: FetchedRecord): Promise<void> {
    const unpacked = await unpack(record, { bytesMax: VALUE_BYTES_MAX });
    if (unpacked.kind === 'unreadable') {
      stderr.write(messageLine(`${unpacked.error} (partition ${record.partition}, offset ${record.offset})`));
      return;
    }
    let entry = 0;
    let start = 0;
    for (const batch of unpacked.batches) {
      for (let k = 0; k < batch.count; k++) {
        const end = unpacked.ends[entry++] ?? 0;
        await output.write(safe(print.event(record, batch, batch.first + k, unpacked.bytes.subarray(start, end))));
        start = end;
      }
    }
  }
}

class EventPrinter {
  readonly #entry = new EntryJson();

  /** `entry`: `[time, record]`. */
  event(record: FetchedRecord, batch: Batch, index: number, entry: Uint8Array): string {
    return `{${position(record)},${membersOf(eventNames(batch, index))},${this.#entry.members(entry)}}\n`;
  }

  /**
   * The dead letter of an event has its entry. That of a whole chunk, and a part of one, has its bytes as base64. A
   * mark names the dead letters that were replayed.
   */
  letter(record: FetchedRecord): string {
    const letter = readDeadLetter(record);
    if (letter.kind === 'mark')
      return `{${position(record)},${membersOf({ replayed: letter.done.map(deadLetterName) })}}\n`;
    const { reason, error, from, batches, index, value, cut } = letter;
    const [batch] = batches;
    const bytes = (): string => Buffer.from(value).toString('base64');
    const what =
      letter.kind === 'fragment'
        ? membersOf({ part: fragmentFacts(letter.fragment), bytes: bytes(), cut })
        : index === null
          ? membersOf({ bytes: bytes(), cut })
          : this.#entry.members(value);
    const named = batch && index !== null && letter.kind !== 'fragment' ? namedAlone(batch, index, value) : batch;
    const names = named ? `${membersOf(eventNames(named, index ?? named.first))},` : '';
    return `{${position(record)},${membersOf({ reason, error, from })},${names}${what}}\n`;
  }
}

function fragmentFacts({ id, at, bytes, tableBytes }: DeadLetterFragment): Record<string, unknown> {
  return { id: Buffer.from(id).toString('hex'), at, bytes, table_bytes: tableBytes };
}

function position({ partition, offset }: FetchedRecord): string {
  return membersOf({ partition, offset });
}

/** The members of a JSON object, without its braces. */
function membersOf(fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(fields).slice(1, -1);
}
