// Reads the dead letters, leaves out what was replayed, and puts together those that lie there in parts. The marks lie
// after the letters that they name, and in any partition, so the topic is read twice: for the marks and the parts that
// there are, then for the letters.
//
// Guarantees: parts are put together only when all are there; else they are one letter that says what is missing, at
// the place and time of its first part. No more is held than of letters that are whole, each from its first part to its
// last.

import {
  type LetterPosition,
  type ReadLetter,
  type ReadPart,
  type ReplayMark,
  letterOfParts,
  readDeadLetter,
} from './dead-letter.ts';
import { PartProgress } from './dead-letter-parts.ts';
import type { Queue, ReadOptions } from './queue.ts';

/** Which letters are meant; all where nothing is said. */
export interface LetterSelection {
  readonly reason?: string | undefined;
  /** Ms since the epoch: letters that the queue took at or after this time, and before that one. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

/** What must be known of the whole topic before its letters are read. */
export interface DeadLetterSurvey {
  readonly replayed: ReplayedLetters;
  readonly parts: PartProgress;
}

/** The parts of a letter may be so far apart: a spool feeds them, and Kafka goes away in between. */
const PARTS_SPAN_MS = 3_600_000;

/** The letters that are done. */
class ReplayedLetters {
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
export async function surveyDeadLetters(
  queue: Pick<Queue, 'read'>,
  fromMs: number | undefined,
  signal: AbortSignal,
): Promise<DeadLetterSurvey> {
  const replayed = new ReplayedLetters();
  const parts = new PartProgress();
  for await (const read of readAll(queue, { fromMs }, signal)) {
    if (read.kind === 'mark') for (const position of read.done) replayed.add(position);
    else if (read.kind === 'part') parts.take(keyOf(read), read.part, read.value.length);
  }
  return { replayed, parts };
}

/**
 * The letters that are selected, done or not, up to the end as of now; each partition in order. `survey`: of these, or
 * of more.
 */
export async function* readLetters(
  queue: Pick<Queue, 'read'>,
  { reason, fromMs, toMs }: LetterSelection,
  { survey, signal }: { readonly survey: DeadLetterSurvey; readonly signal: AbortSignal },
): AsyncGenerator<ReadLetter, void, void> {
  const joiner = new PartJoiner(survey.parts);
  for await (const read of readAll(queue, { fromMs, toMs }, signal)) {
    const letter = read.kind === 'part' ? joiner.add(read) : read;
    if (letter?.kind !== 'letter' || (reason !== undefined && letter.reason !== reason)) continue;
    if (letter.timeMs >= (fromMs ?? 0) && letter.timeMs < (toMs ?? Infinity)) yield letter;
  }
}

/** What lies between the times, and what belongs to it. */
async function* readAll(
  queue: Pick<Queue, 'read'>,
  { fromMs, toMs }: Pick<LetterSelection, 'fromMs' | 'toMs'>,
  signal: AbortSignal,
): AsyncGenerator<ReadLetter | ReadPart | ReplayMark, void, void> {
  const options: ReadOptions = {
    topic: 'dead-letters',
    signal,
    ...(fromMs === undefined ? {} : { fromMs: fromMs - PARTS_SPAN_MS }),
    ...(toMs === undefined ? {} : { toMs: toMs + PARTS_SPAN_MS }),
  };
  for await (const record of queue.read(options)) yield readDeadLetter(record);
}

interface Gathered {
  readonly first: ReadPart;
  readonly values: Uint8Array[];
}

class PartJoiner {
  /** Of all parts that there are. */
  readonly #survey: PartProgress;
  /** Of those that were read again. */
  readonly #progress = new PartProgress();
  readonly #gathered = new Map<string, Gathered>();
  readonly #done = new Set<string>();

  constructor(survey: PartProgress) {
    this.#survey = survey;
  }

  /** The letter, when this is the last of its parts that are there. */
  add(read: ReadPart): ReadLetter | null {
    const key = keyOf(read);
    const thereBytes = this.#survey.bytesOf(key);
    // What came after the survey is for the next reader.
    if (thereBytes === undefined || this.#done.has(key)) return null;
    // The beginning is lost: one of the other parts must speak for all.
    if (thereBytes === 0) return this.#finish(key, { first: read, values: [] });
    const known = this.#progress.take(key, read.part, read.value.length);
    if (known === null) return null;
    let gathered = this.#gathered.get(key);
    if (!gathered) this.#gathered.set(key, (gathered = { first: read, values: [] }));
    gathered.values.push(read.value.subarray(known));
    return (this.#progress.bytesOf(key) ?? 0) < thereBytes ? null : this.#finish(key, gathered);
  }

  #finish(key: string, { first, values }: Gathered): ReadLetter {
    this.#gathered.delete(key);
    this.#done.add(key);
    return letterOfParts(first, Buffer.concat(values));
  }
}

/** Parts of one whole lie in one partition. */
function keyOf({ partition, part }: ReadPart): string {
  return `${partition}/${Buffer.from(part.id).toString('hex')}`;
}
