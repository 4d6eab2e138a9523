// Reads the dead letters, leaves out those that were replayed, and joins fragments. Marks lie after the dead letters
// that they name, in any partition. So the topic is read twice: first for the marks and the fragments, then for the
// dead letters.
//
// Guarantees: fragments are joined only when all are there. Otherwise they are one dead letter that says what is
// missing, at the place and time of its first fragment. Only fragments of complete dead letters are buffered, each from
// its first fragment to its last.

import {
  type DeadLetterPosition,
  type ReadDeadLetter,
  type ReadFragment,
  type ReplayMark,
  deadLetterOfFragments,
  readDeadLetter,
} from './dead-letter.ts';
import { FragmentProgress } from './dead-letter-fragments.ts';
import type { Queue, ReadOptions } from './queue.ts';

/** Which dead letters are meant; all where nothing is said. */
export interface DeadLetterSelection {
  readonly reason?: string | undefined;
  /** Ms since the epoch: dead letters that the queue took at or after this time, and before that one. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

/** What must be known of the whole topic before its dead letters are read. */
export interface DeadLetterSurvey {
  readonly replayed: ReplayedDeadLetters;
  readonly fragments: FragmentProgress;
}

/** The fragments of a dead letter may be so far apart: a spool feeds them, and Kafka goes away in between. */
const FRAGMENTS_SPAN_MS = 3_600_000;

/** The dead letters that are done. */
class ReplayedDeadLetters {
  readonly #offsets = new Map<number, Set<number>>();

  add({ partition, offset }: DeadLetterPosition): void {
    let offsets = this.#offsets.get(partition);
    if (!offsets) this.#offsets.set(partition, (offsets = new Set()));
    offsets.add(offset);
  }

  has({ partition, offset }: DeadLetterPosition): boolean {
    return this.#offsets.get(partition)?.has(offset) === true;
  }
}

/** `fromMs`: of dead letters that came before this time nothing need be known. */
export async function surveyDeadLetters(
  queue: Pick<Queue, 'read'>,
  fromMs: number | undefined,
  signal: AbortSignal,
): Promise<DeadLetterSurvey> {
  const replayed = new ReplayedDeadLetters();
  const fragments = new FragmentProgress();
  for await (const read of readAll(queue, { fromMs }, signal)) {
    if (read.kind === 'mark') for (const position of read.done) replayed.add(position);
    else if (read.kind === 'fragment') fragments.take(keyOf(read), read.fragment, read.value.length);
  }
  return { replayed, fragments };
}

/**
 * The dead letters that are selected, done or not, up to the end as of now; each partition in order. `survey`: of
 * these, or of more.
 */
export async function* readDeadLetters(
  queue: Pick<Queue, 'read'>,
  { reason, fromMs, toMs }: DeadLetterSelection,
  { survey, signal }: { readonly survey: DeadLetterSurvey; readonly signal: AbortSignal },
): AsyncGenerator<ReadDeadLetter, void, void> {
  const joiner = new FragmentJoiner(survey.fragments);
  for await (const read of readAll(queue, { fromMs, toMs }, signal)) {
    const deadLetter = read.kind === 'fragment' ? joiner.add(read) : read;
    if (deadLetter?.kind !== 'dead-letter' || (reason !== undefined && deadLetter.reason !== reason)) continue;
    if (deadLetter.timeMs >= (fromMs ?? 0) && deadLetter.timeMs < (toMs ?? Infinity)) yield deadLetter;
  }
}

/** What lies between the times, and what belongs to it. */
async function* readAll(
  queue: Pick<Queue, 'read'>,
  { fromMs, toMs }: Pick<DeadLetterSelection, 'fromMs' | 'toMs'>,
  signal: AbortSignal,
): AsyncGenerator<ReadDeadLetter | ReadFragment | ReplayMark, void, void> {
  const options: ReadOptions = {
    topic: 'dead-letters',
    signal,
    ...(fromMs === undefined ? {} : { fromMs: fromMs - FRAGMENTS_SPAN_MS }),
    ...(toMs === undefined ? {} : { toMs: toMs + FRAGMENTS_SPAN_MS }),
  };
  for await (const record of queue.read(options)) yield readDeadLetter(record);
}

interface Gathered {
  readonly first: ReadFragment;
  readonly values: Uint8Array[];
}

class FragmentJoiner {
  /** Of all fragments that there are. */
  readonly #survey: FragmentProgress;
  /** Of those that were read again. */
  readonly #progress = new FragmentProgress();
  readonly #gathered = new Map<string, Gathered>();
  readonly #done = new Set<string>();

  constructor(survey: FragmentProgress) {
    this.#survey = survey;
  }

  /** The dead letter, when this is the last of its fragments that are there. */
  add(read: ReadFragment): ReadDeadLetter | null {
    const key = keyOf(read);
    const thereBytes = this.#survey.bytesOf(key);
    // What came after the survey is for the next reader.
    if (thereBytes === undefined || this.#done.has(key)) return null;
    // The beginning is lost: one of the other fragments must speak for all.
    if (thereBytes === 0) return this.#finish(key, { first: read, values: [] });
    const known = this.#progress.take(key, read.fragment, read.value.length);
    if (known === null) return null;
    let gathered = this.#gathered.get(key);
    if (!gathered) this.#gathered.set(key, (gathered = { first: read, values: [] }));
    gathered.values.push(read.value.subarray(known));
    return (this.#progress.bytesOf(key) ?? 0) < thereBytes ? null : this.#finish(key, gathered);
  }

  #finish(key: string, { first, values }: Gathered): ReadDeadLetter {
    this.#gathered.delete(key);
    this.#done.add(key);
    return deadLetterOfFragments(first, Buffer.concat(values));
  }
}

/** Fragments of one whole lie in one partition. */
function keyOf({ partition, fragment }: ReadFragment): string {
  return `${partition}/${Buffer.from(fragment.id).toString('hex')}`;
}
