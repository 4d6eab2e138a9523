// Splits segments that are larger than a record should be, before they wait for a record. A large one is split in
// steps, and other work of the process runs between them: a few bytes of a sender can become a segment that takes half
// a second to walk through.
//
// Guarantees: segments of one sender of a tenant come out in the order in which they were added. Those of others do not
// wait for them, whether or not there are tenants.

import { setImmediate } from 'node:timers/promises';
import { type RecordSegment, splitSegment } from './record-segment.ts';

/** One step per turn of the event loop, for all lanes together. */
let lastTurn: Promise<void> = Promise.resolve();

export class SegmentSplitter {
  readonly #bytesMax: number;
  readonly #ready: (segments: readonly RecordSegment[]) => void;
  /** By tenant and sender: the segments that wait behind the one that is being split. */
  readonly #behind = new Map<string, RecordSegment[]>();
  #idle = Promise.withResolvers<void>();

  /** `ready` is called for each segment in the order of arrival: with its pieces, or itself if it is small enough. */
  constructor(bytesMax: number, ready: (segments: readonly RecordSegment[]) => void) {
    this.#bytesMax = bytesMax;
    this.#ready = ready;
  }

  get isBusy(): boolean {
    return this.#behind.size > 0;
  }

  /** Resolves when nothing is being split any more. */
  async idle(): Promise<void> {
    while (this.isBusy) await this.#idle.promise;
  }

  add(segment: RecordSegment): void {
    const whose = whoseOf(segment);
    const behind = this.#behind.get(whose);
    if (behind) {
      behind.push(segment);
      return;
    }
    const steps = this.#split(segment);
    const { done, value } = steps.next();
    if (done === true) this.#ready(value);
    else void this.#goOn(whose, steps);
  }

  async #goOn(whose: string, begun: Splitting): Promise<void> {
    const behind: RecordSegment[] = [];
    this.#behind.set(whose, behind);
    this.#ready(await inTurns(begun));
    for (let segment = behind.shift(); segment; segment = behind.shift())
      this.#ready(await inTurns(this.#split(segment)));
    this.#behind.delete(whose);
    if (this.isBusy) return;
    this.#idle.resolve();
    this.#idle = Promise.withResolvers();
  }

  *#split(segment: RecordSegment): Splitting {
    const { encoding, batch, bytes } = segment;
    // A single event that is larger cannot be split.
    if (encoding !== 'identity' || batch.count === 1 || bytes.length <= this.#bytesMax) return [segment];
    return yield* splitSegment(segment, this.#bytesMax);
  }
}

/** Names that make the same of two senders only make them wait for each other. */
function whoseOf({ batch: { tenant, sender } }: RecordSegment): string {
  return `${tenant ?? ''}\0${sender}`;
}

type Splitting = ReturnType<typeof splitSegment>;

/** What `steps` come to; other work has its turn before each. */
export async function inTurns<T>(steps: Generator<null, T, void>): Promise<T> {
  let step = steps.next();
  while (step.done !== true) {
    lastTurn = lastTurn.then(() => setImmediate());
    await lastTurn;
    step = steps.next();
  }
  return step.value;
}
