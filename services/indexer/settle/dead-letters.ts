// Dead letters of events: what they say of where an event lay, and what of them fits into one append. Pure.
//
// Guarantee: a dead letter has all that names its event: its row of the table of batches, with the chain just before
// its entry where names are by position.

import type { DeadLetter } from '#shared/queue/queue.ts';
import { chainAtEntry } from '#shared/record/chain.ts';
import { type Batch, encodeBatches } from '#shared/record/record.ts';
import type { EventRef } from './bulk-batch.ts';
import type { Written } from '../parse/document/document.ts';

const ERROR_LENGTH_MAX = 2000;
/** Reason, position, lengths and the queue's own framing. */
const DEAD_LETTER_OVERHEAD_BYTES = 1024;

/** Why an event cannot be indexed. */
export interface Why {
  readonly reason: string;
  readonly error: string;
}

/** Why no document is made of an entry. */
export type Unwritable = Exclude<Written, 'ok' | 'part' | 'trace'>;

export const WHY_UNWRITABLE: Readonly<Record<Unwritable, string>> = {
  entry_malformed: 'Cannot read the entry: it is no [time, record]',
  document_too_large:
    'Cannot make a document of the entry: it has more than 65536 keys or 262144 values, ' +
    'or more bytes than document.max_bytes',
};

/** The dead letter of an event at `from`. `entry` is kept, so it is the caller's to copy. */
export function deadLetterOf(
  ref: Pick<EventRef, 'batch' | 'index'>,
  entry: Uint8Array,
  { reason, error }: Why,
  from: string,
): DeadLetter {
  const batches = encodeBatches([batchOfEvent(ref)]);
  return {
    batches,
    index: ref.index,
    reason,
    error: error.slice(0, ERROR_LENGTH_MAX),
    from,
    value: entry,
    cut: false,
  };
}

/** What a dead letter takes of an append. */
function appendBytesOf({ value, batches, error }: DeadLetter): number {
  return value.length + batches.length + 4 * error.length + DEAD_LETTER_OVERHEAD_BYTES;
}

/** Dead letters that fit into one append together. */
export function groupsOf(deadLetters: readonly DeadLetter[], bytesMax: number): DeadLetter[][] {
  const groups: DeadLetter[][] = [];
  let group: DeadLetter[] = [];
  let bytes = 0;
  for (const deadLetter of deadLetters) {
    const size = appendBytesOf(deadLetter);
    if (group.length > 0 && bytes + size > bytesMax) {
      groups.push(group);
      group = [];
      bytes = 0;
    }
    group.push(deadLetter);
    bytes += size;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

/** The batch of an event, as its dead letter has it: a name by position is made of the chain just before its entry. */
function batchOfEvent({ batch, index }: Pick<EventRef, 'batch' | 'index'>): Batch {
  const { chain, names, first } = batch;
  if (chain === null || names === undefined) return batch;
  return { ...batch, first: index, count: 1, chain: chainAtEntry(chain, names, index - first) };
}
