// What is known of a dead letter, as JSON. Pure.

import { deadLetterName, type ReadDeadLetter } from '#shared/queue/dead-letter.ts';
import { namedAlone } from '#shared/record/chain.ts';
import { eventNames } from '../output/event-json.ts';

export interface DeadLetterFacts {
  /** partition/offset */
  readonly id: string;
  readonly time: string;
  readonly reason: string;
  readonly error: string;
  readonly from: string;
  readonly replayed: boolean;
  /** `_id` of the event's document; of a whole chunk or record null. */
  readonly document: string | null;
  readonly tag?: string;
  readonly input?: string;
  readonly tenant?: string | null;
  readonly sender?: string;
  readonly received?: string;
  readonly sequence?: number;
  readonly bytes: number;
  readonly cut: boolean;
  /** Of parts that are missing. */
  readonly missing_bytes: number;
}

export function deadLetterFacts(letter: ReadDeadLetter, replayed: boolean): DeadLetterFacts {
  const { timeMs, reason, error, from, batches, index, value, cut, missingBytes } = letter;
  const [batch] = batches;
  const named = batch && index !== null ? namedAlone(batch, index, value) : batch;
  const { id: document = null, ...names } = named ? eventNames(named, index ?? named.first) : {};
  return {
    id: deadLetterName(letter),
    time: new Date(timeMs).toISOString(),
    reason,
    error,
    from,
    replayed,
    document: index === null ? null : document,
    ...names,
    bytes: value.length,
    cut,
    missing_bytes: missingBytes,
  };
}
