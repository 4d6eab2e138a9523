// Which partitions are held now, under which number, and how far each was handed over. Pure bookkeeping of the consumer.
//
// Fencing: Kafka takes a commit for a partition that its sender has lost, if only the sender has joined again since. So a
// number is void from the moment before the next request to join is sent, and what is void commits nothing.

export interface Start {
  readonly partition: number;
  readonly next: number;
  readonly end: number;
}

/** What is held under one number. */
export class Assignment {
  readonly number: number;
  readonly partitions: readonly number[];
  /** Resolves to true once the owner knows of it, to false if it is void before. */
  readonly announced: Promise<boolean>;
  readonly #announced = Promise.withResolvers<boolean>();
  readonly #positions = new Map<number, number>();
  readonly #soughtBack = new Map<number, number>();
  #begun = false;

  constructor(number: number, partitions: readonly number[]) {
    this.number = number;
    this.partitions = partitions;
    this.announced = this.#announced.promise;
  }

  /** Whether the owner knows of it. */
  get begun(): boolean {
    return this.#begun;
  }

  /** The owner is told where each partition begins. */
  begin(starts: readonly Start[]): void {
    this.#begun = true;
    for (const { partition, next } of starts) this.#positions.set(partition, next);
    this.#announced.resolve(true);
  }

  end(): void {
    this.#announced.resolve(false);
  }

  /**
   * Whether a batch that was fetched from `offset` on comes next. A batch from before a rebalance may arrive after it; then
   * the answer is the offset to seek back to. If that offset is not to be had any more, the same jump comes again, and is taken.
   */
  expects(partition: number, offset: number): 'next' | { readonly seek: number } | { readonly lostFrom: number } {
    const position = this.#positions.get(partition);
    if (position === undefined || offset === position) return 'next';
    if (this.#soughtBack.get(partition) === position) return { lostFrom: position };
    this.#soughtBack.set(partition, position);
    return { seek: position };
  }

  handedOver(partition: number, next: number): void {
    this.#positions.set(partition, next);
  }
}

/** The one assignment that is held, or none. */
export class Assignments {
  #held: Assignment | null = null;
  #last = 0;

  get held(): Assignment | null {
    return this.#held;
  }

  /** Number of the latest assignment; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  take(partitions: readonly number[]): Assignment {
    this.void();
    this.#held = new Assignment(++this.#last, partitions);
    return this.#held;
  }

  /** Voids what is held; returns it if anything was. */
  void(): Assignment | null {
    const held = this.#held;
    this.#held = null;
    held?.end();
    return held;
  }
}
