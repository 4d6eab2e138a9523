// What the oracle knows of each event, and how it names events.

import type { SimEvent } from '../events.ts';
import type { Written } from '../store/elasticsearch.ts';

export interface Copy extends Omit<Written, 'json'> {
  readonly numbers: readonly number[];
  readonly sequence: number;
  readonly isPartial: boolean;
}

/** A call of a forwarder's `accept`. */
export interface Acceptance {
  readonly process: string;
  readonly source: string;
  readonly order: number;
  /** It has said that the chunk is held. */
  isHeld: boolean;
}

export interface EventState {
  readonly event: SimEvent;
  isHeld: boolean;
  /** Without those that were deleted. */
  documents: Copy[];
  deadLetters: number;
  readonly acceptances: Acceptance[];
  /** It is in the queue more than once: somebody has sent or appended it again. */
  isRepeated: boolean;
  /** An indexer has reported that it is lost, with a record that the brokers had removed. */
  isReportedLost: boolean;
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** Numbers come in rows: "3–7 9". */
export function listed(numbers: readonly number[]): string {
  const first = numbers[0];
  const last = numbers.at(-1);
  if (first === undefined || last === undefined) return 'nothing';
  return last - first === numbers.length - 1 && last > first ? `${first}–${last}` : numbers.join(' ');
}

export function idsOf(documents: readonly Copy[]): string {
  return documents.map(({ id }) => id).join(' ');
}
