// Which records of an assignment may be the ones that ended the indexers before us. The queue says how many assignments
// began at the offset without moving it; from the second on, the records there are opened in a child process first.
//
//   next                     readTo
//   | fetched before the     | fetched after it:        until = readTo, as of the first commit that moves the offset:
//   | first commit: suspect  | trusted                  whoever died before us had not come so far, or had got on
//
// Guarantees: what is suspect is a bounded piece of the partition, whatever lies behind it: one that only waited for a
// store that was away is soon read at full speed again. If the culprit lies further on, the offset has moved, and the
// count starts anew there. Pure.
//
// Suspect records wait in pipeline/suspect-queue.ts; child-opener.ts finds the culprit, which becomes a dead letter
// (pipeline/refusals.ts).

/** The try from which on records are suspect. */
export const SUSPECT_FROM_TRY = 2;
/** From here on two indexers at least have tried records out and did not get past them. */
const FAILED_FROM_TRY = 4;

export class Suspicion {
  /** By partition: where what is suspect ends; null as long as nothing was committed. */
  readonly #until = new Map<number, number | null>();
  readonly #failed = new Set<number>();

  /**
   * The partition is read from its committed offset on, for this many times without getting on. Returns whether its
   * records are suspect.
   */
  assigned(partition: number, tries: number): boolean {
    if (tries < SUSPECT_FROM_TRY) return false;
    this.#until.set(partition, null);
    if (tries >= FAILED_FROM_TRY) this.#failed.add(partition);
    return true;
  }

  /**
   * The offset was committed further, up to `next`; what was fetched ends at `readTo`. Returns whether the partition is
   * trusted from now on.
   */
  moved(partition: number, next: number, readTo: number): boolean {
    const until = this.#until.get(partition);
    if (until === undefined) return false;
    if (until === null && next < readTo) {
      this.#until.set(partition, readTo);
      return false;
    }
    if (until !== null && next < until) return false;
    this.#until.delete(partition);
    return true;
  }

  isSuspect({ partition, offset }: { readonly partition: number; readonly offset: number }): boolean {
    const until = this.#until.get(partition);
    return until === null || (until !== undefined && offset < until);
  }

  /** Whether trying out the partition's records has ended indexers, or was never done. */
  hasFailed(partition: number): boolean {
    return this.#failed.has(partition);
  }

  /** Whether some records of the partition are. */
  has(partition: number): boolean {
    return this.#until.has(partition);
  }
}
