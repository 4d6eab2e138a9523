// A ConsumerHandler that keeps what it is told, and lets a test wait for it.

import type {
  AssignedPartition,
  ConsumerHandler,
  FetchedRecords,
  FetchedRecord,
  LogChange,
} from '#shared/queue/queue.ts';

type Starts = readonly AssignedPartition[];

export class RecordingHandler implements ConsumerHandler {
  readonly assignments: { readonly number: number; readonly starts: Starts }[] = [];
  readonly revocations: number[] = [];
  /** Of those, whose logs are no more. */
  readonly gone: number[] = [];
  readonly changes: LogChange[] = [];
  readonly batches: FetchedRecords[] = [];
  readonly failures: Error[] = [];
  #waiters: (() => void)[] = [];

  assigned(starts: Starts, number: number): void {
    this.assignments.push({ number, starts });
    this.#changed();
  }

  revoked(number: number, isGone = false): void {
    this.revocations.push(number);
    if (isGone) this.gone.push(number);
    this.#changed();
  }

  logsChanged(changes: readonly LogChange[]): void {
    this.changes.push(...changes);
    this.#changed();
  }

  fetched(batch: FetchedRecords): void {
    this.batches.push(batch);
    this.#changed();
  }

  failed(error: Error): void {
    this.failures.push(error);
    this.#changed();
  }

  get assignment(): number {
    return this.assignments.at(-1)?.number ?? 0;
  }

  /** Partitions of the present assignment; none once it was revoked. */
  get partitions(): number[] {
    const last = this.assignments.at(-1);
    return last === undefined || this.revocations.includes(last.number)
      ? []
      : last.starts.map(({ partition }) => partition);
  }

  get records(): FetchedRecord[] {
    return this.batches.flatMap((batch) => batch.records);
  }

  /** Values as text, of one partition, in the order in which they came. */
  texts(partition = 0): string[] {
    return this.records
      .filter((record) => record.partition === partition)
      .map(({ value }) => Buffer.from(value).toString());
  }

  /** Resolves when the condition holds; looks whenever something was told. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.failures.length > 0) throw this.failures[0];
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  #changed(): void {
    const woken = this.#waiters;
    this.#waiters = [];
    for (const wake of woken) wake();
  }
}
