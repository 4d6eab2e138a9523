// Reads the dead letters, and leaves out what was replayed. The marks lie after the letters that they name, and in any partition, so the topic
// is read twice: for the marks, then for the letters.

import { type LetterPosition, type ReadLetter, readDeadLetter } from './dead-letter.ts';
import type { Queue } from './queue.ts';

/** Which letters are meant; all where nothing is said. */
export interface LetterSelection {
  readonly reason?: string | undefined;
  /** Ms since the epoch: letters that the queue took at or after this time, and before that one. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

/** The letters that are done. */
export class ReplayedLetters {
  readonly #offsets = new Map<number, Set<number>>();

  add({ partition, offset }: LetterPosition): void {
    let offsets = this.#offsets.get(partition);
    if (!offsets) this.#offsets.set(partition, (offsets = new Set()));
    offsets.add(offset);
  }

  has({ partition, offset }: LetterPosition): boolean {
    return this.#offsets.get(partition)?.has(offset) === true;
  }
}

/** `fromMs`: of letters that came before this time nothing need be known. */
export async function readMarks(
  queue: Pick<Queue, 'read'>,
  fromMs: number | undefined,
  signal: AbortSignal,
): Promise<ReplayedLetters> {
  const replayed = new ReplayedLetters();
  for await (const record of queue.read({
    topic: 'dead-letters',
    signal,
    ...(fromMs === undefined ? {} : { fromMs }),
  })) {
    const read = readDeadLetter(record);
    if (read.kind === 'mark') for (const position of read.done) replayed.add(position);
  }
  return replayed;
}

/** The letters that are selected, done or not, up to the end as of now; each partition in order. */
export async function* readLetters(
  queue: Pick<Queue, 'read'>,
  { reason, fromMs, toMs }: LetterSelection,
  signal: AbortSignal,
): AsyncGenerator<ReadLetter, void, void> {
  const range = { ...(fromMs === undefined ? {} : { fromMs }), ...(toMs === undefined ? {} : { toMs }) };
  for await (const record of queue.read({ topic: 'dead-letters', signal, ...range })) {
    const read = readDeadLetter(record);
    if (read.kind === 'letter' && (reason === undefined || read.reason === reason)) yield read;
  }
}
