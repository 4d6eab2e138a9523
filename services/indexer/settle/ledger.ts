// The ledger of the indexer, in events: consumed = indexed + deduplicated + dead-lettered + dropped + abandoned + in
// flight. The left side is counted when a record is opened, the outcomes when they are reported. What is in flight is
// counted where it is: each part that has events in hand says how many. So an event that is forgotten somewhere shows
// as an imbalance at once.
//
// Guarantees: each event has one outcome. What was fetched under a lost assignment is abandoned, whatever became of it.

import assert from 'node:assert/strict';
import type { EventRef } from './bulk-batch.ts';
import type { RecordInHand } from '../commit/in-hand.ts';

export type Ending = 'indexed' | 'deduplicated' | 'dead_lettered' | 'dropped' | 'abandoned';

/** Why events lie with the dead letters; a closed set, for it is a metric label. */
export const DEAD_LETTER_REASONS = [
  'record_version_unknown',
  'record_malformed',
  'record_poisonous',
  'entry_malformed',
  'document_refused',
  'document_too_large',
  'failure_store',
] as const;

/** Why an event had another ending than "indexed" or "deduplicated". */
export type EndingReason = (typeof DEAD_LETTER_REASONS)[number] | 'assignment_lost' | 'shutdown';

export interface LedgerListener {
  consumed(events: number): void;
  ended(events: number, ending: Ending, reason: EndingReason | null): void;
}

/** Some events of the record have this outcome. */
export type RecordFollower = (record: RecordInHand, ending: Ending) => void;

export class Ledger {
  readonly counts: Record<Ending | 'consumed', number> = {
    consumed: 0,
    indexed: 0,
    deduplicated: 0,
    dead_lettered: 0,
    dropped: 0,
    abandoned: 0,
  };
  readonly #listener: LedgerListener;
  readonly #inFlight: (() => number)[] = [];
  #follower: RecordFollower = () => undefined;

  constructor(listener: LedgerListener) {
    this.#listener = listener;
  }

  /** Somewhere events are in hand: how many there are now. */
  trackInFlight(events: () => number): void {
    this.#inFlight.push(events);
  }

  /** Calls `follower` with the record of each outcome: for whoever must know what became of a single record. */
  follow(follower: RecordFollower): void {
    this.#follower = follower;
  }

  get inFlight(): number {
    return this.#inFlight.reduce((sum, events) => sum + events(), 0);
  }

  /** 0, always; anything else is a mistake in Sluice. */
  get imbalance(): number {
    const { consumed, indexed, deduplicated, dead_lettered, dropped, abandoned } = this.counts;
    return consumed - indexed - deduplicated - dead_lettered - dropped - abandoned - this.inFlight;
  }

  /** A record was opened: its events are consumed, and are to have outcomes. */
  open(record: RecordInHand, events: number): void {
    assert(record.unsettled === 0);
    record.unsettled = events;
    this.counts.consumed += events;
    this.#listener.consumed(events);
    if (events === 0) record.finish();
  }

  /** `events` of a record have their outcome. Whoever had them in hand must not count them any more. */
  settle(record: RecordInHand, events: number, ending: Ending, reason: EndingReason | null = null): void {
    assert(events >= 0 && record.unsettled >= events, 'an event has one outcome');
    if (events === 0) return;
    const given = record.assignment.isRevoked ? 'abandoned' : ending;
    this.counts[given] += events;
    this.#listener.ended(events, given, given === ending ? reason : 'assignment_lost');
    record.unsettled -= events;
    if (given === 'abandoned') record.abandoned = true;
    if (record.unsettled === 0) {
      if (record.abandoned) record.giveUp();
      else record.finish();
    } else record.shed();
    this.#follower(record, given);
  }

  /** One event has its outcome, which may be a part of a line. */
  settleEvent({ record, bytes }: EventRef, ending: Ending, reason: EndingReason | null = null): void {
    if (bytes) record.apart--;
    assert(record.apart >= 0, 'a part has one outcome');
    this.settle(record, 1, ending, reason);
  }
}
