// What can be known only when everything has drained: nothing that was acked is lost, nothing is there twice but for
// what docs/guarantees.md excuses, and the order of acceptance is that of sequences and of the queue.

import type { Acceptance, Copy, EventState } from './states.ts';

export interface EndChecksGiven {
  readonly states: readonly EventState[];
  /** Events of each record of the logs topic, by partition and offset. */
  readonly records: readonly (readonly (readonly number[])[])[];
  readonly acceptances: readonly { readonly acceptance: Acceptance; readonly numbers: readonly number[] }[];
  /** First appearances in each partition, in order. */
  readonly appeared: readonly (readonly number[])[];
  readonly bulkTimeoutMs: number;
  /** By partition: when it went from one member to another. */
  readonly handovers: ReadonlyMap<number, readonly number[]>;
  readonly violate: (what: string) => void;
}

/** Returns how many copies are excused, since they were written too late to be looked for. */
export function checkEnd(given: EndChecksGiven): number {
  const checks = new EndChecks(given);
  checks.check();
  return checks.lateCopies;
}

class EndChecks {
  lateCopies = 0;
  readonly #given: EndChecksGiven;

  constructor(given: EndChecksGiven) {
    this.#given = given;
  }

  check(): void {
    for (const { event, documents, deadLetters, acceptances, isReportedLost } of this.#given.states) {
      const { number, chunk } = event;
      const isPromised = chunk.acked || acceptances.some(({ isHeld }) => isHeld);
      if (!isPromised) continue;
      if (documents.length === 0 && deadLetters === 0 && !isReportedLost)
        this.#given.violate(`event ${number} of ${chunk.name} was acked and is lost`);
      if (documents.length > 0 && deadLetters > 0)
        this.#given.violate(`event ${number} is in the store and with the dead letters`);
      // Of a record that is gone nobody can look for second copies.
      if (!isReportedLost) this.#checkCopies(number, documents);
    }
    this.#checkSequence();
    this.#checkPartitions();
  }

  /** At the end no name is in two backing indices, but for what docs/guarantees.md excuses. */
  #checkCopies(number: number, documents: readonly Copy[]): void {
    for (const copies of Map.groupBy(documents, ({ id }) => id).values()) {
      if (copies.length < 2) continue;
      // Only the late ones are excused: of those in time there is one.
      if (copies.filter((copy) => !this.#isTooLate(copy, number)).length < 2) this.lateCopies++;
      else {
        const where = copies.map(whereOf);
        this.#given.violate(`event ${number} is in the store in ${copies.length} indices: ${where.join(', ')}`);
      }
    }
  }

  /** Written more than `bulk.timeout_ms` after its sender died, gave it up, or lost the partition to another. */
  #isTooLate({ sent, writtenMs }: Copy, number: number): boolean {
    const partitions = this.#given.records.flatMap((offsets, p) => (offsets.flat().includes(number) ? [p] : []));
    const handovers = partitions.flatMap((partition) => this.#given.handovers.get(partition) ?? []);
    const lostMs = Math.min(...handovers.filter((ms) => ms > sent.atMs));
    return writtenMs > Math.min(sent.by.endedMs, sent.givenUpMs, lostMs) + this.#given.bulkTimeoutMs;
  }

  /** `event.sequence` has the order in which one forwarder accepted. */
  #checkSequence(): void {
    const last = new Map<string, { number: number; sequence: number }>();
    for (const { acceptance, numbers } of this.#given.acceptances) {
      for (const number of numbers) {
        const state = this.#given.states[number];
        const [document] = state?.documents ?? [];
        if (!state || state.acceptances.length > 1 || !document || document.numbers[0] !== number) continue;
        const before = last.get(acceptance.process);
        const { sequence } = document;
        if (before && sequence <= before.sequence) {
          this.#given.violate(
            `event ${number} was accepted after ${before.number}, and its sequence is ${sequence} after ${before.sequence}`,
          );
        }
        last.set(acceptance.process, { number, sequence });
      }
    }
  }

  /** What one forwarder took from one source lies in the queue in that order. */
  #checkPartitions(): void {
    for (const appeared of this.#given.appeared) {
      const last = new Map<string, { number: number; order: number }>();
      for (const number of appeared) {
        const acceptances = this.#given.states[number]?.acceptances ?? [];
        const [acceptance] = acceptances;
        if (!acceptance || acceptances.length > 1 || !acceptance.isHeld) continue;
        const key = `${acceptance.process} ${acceptance.source}`;
        const before = last.get(key);
        if (before && before.order > acceptance.order)
          this.#given.violate(`event ${number} lies behind ${before.number} in the queue, and was accepted before it`);
        last.set(key, { number, order: acceptance.order });
      }
    }
  }
}

function whereOf({ backing, writtenMs, sent }: Copy): string {
  return `${backing} at ${writtenMs.toFixed(0)} by ${sent.by.name}`;
}
