// A record that Kafka will never take, as dead letters: one for each event, with its identity and index, so that it can
// be shown and replayed. A record that cannot be opened is one dead letter, with its bytes as they are.

import { reasonOf } from '#shared/errors.ts';
import { entryEnd } from '#shared/msgpack/extents.ts';
import { chainAfterEntry } from '#shared/record/chain.ts';
import { ANY_WINDOW, decompress } from '#shared/record/compression.ts';
import { type Batch, decodeBatches, encodeBatches, type QueueRecord } from '#shared/record/record.ts';
import type { DeadLetter } from '../../queue.ts';

/** What the edge made of a sender's frame was counted within its limit before. */
const DECOMPRESSED_BYTES_MAX = 512 * 1024 * 1024;
/** `error`: what the queue said. */
export async function deadLettersOfRefused(record: QueueRecord, error: string): Promise<DeadLetter[]> {
  const batches = decodeBatches(record.batches);
  if (batches === null) return [deadLetterOf(record.batches, record.value, error)];
  try {
    const entries = await decompress(record.value, record.encoding, DECOMPRESSED_BYTES_MAX, ANY_WINDOW);
    return deadLettersOfEntries(batches, entries, error);
  } catch (failure) {
    return [deadLetterOf(record.batches, record.value, `${error}; and it cannot be opened: ${reasonOf(failure)}`)];
  }
}

function deadLettersOfEntries(batches: readonly Batch[], entries: Uint8Array, error: string): DeadLetter[] {
  const deadLetters: DeadLetter[] = [];
  let at = 0;
  for (const batch of batches) {
    let { chain } = batch;
    let table = encodeBatches([batch]);
    for (let index = batch.first; index < batch.first + batch.count; index++) {
      const end = entryEnd(entries, at, entries.length);
      if (end < 0) throw new Error('its entries are not as many as its table says');
      // A name by position is made of the chain just before the entry.
      if (chain !== null) table = encodeBatches([{ ...batch, first: index, count: 1, chain }]);
      deadLetters.push({ ...deadLetterOf(table, entries.subarray(at, end), error), index });
      if (chain !== null) chain = chainAfterEntry(chain, entries, at, end);
      at = end;
    }
  }
  return deadLetters;
}

function deadLetterOf(batches: Uint8Array, bytes: Uint8Array, error: string): DeadLetter {
  return {
    batches,
    reason: 'queue_refused',
    error,
    from: 'edge',
    value: bytes,
    cut: false,
  };
}
