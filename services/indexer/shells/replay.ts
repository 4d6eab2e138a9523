// Another try for dead letters, through the same pipeline. Each becomes a record of a queue of its own, with the names
// that its event always had. The store is asked for every id first, so what is there already is not added again.
//
//   dead letters ─► records 0, 1, 2, … ─► pipeline ─► ledger ─┬─ indexed, or there already ─► mark: this one is done
//                                                             └─ refused again ─► reported; it stays a dead letter
//
// What is refused again has its dead letter already. Another one would take as much of their budget with each try. And
// nothing could be removed for it: a crash between the new dead letter and the mark of the old one must not lose the
// event.
//
// Guarantees: a dead letter is marked only after all of its events are in the store. A crash before that leaves it as
// it was. No replay adds a dead letter.

import { SluiceError } from '#shared/errors.ts';
import { Metrics } from '#shared/metrics.ts';
import {
  type DeadLetterPosition,
  type ReadDeadLetter,
  recordOfDeadLetter,
  replayMark,
} from '#shared/queue/dead-letter.ts';
import type { DeadLetter } from '#shared/queue/queue.ts';
import { type DeadLetterSelection, readDeadLetters, surveyDeadLetters } from '#shared/queue/dead-letter-reader.ts';
import { type IndexerCore, type IndexerOptions, buildCore } from '../pipeline/build-pipeline.ts';
import { Assignment, type RecordInHand } from '../commit/in-hand.ts';
import type { Ending } from '../settle/ledger.ts';
import { SUSPECT_FROM_TRY } from '../poison/suspicion.ts';
import { ChangeSignal } from './change-signal.ts';
import { noteRefusal } from './refusal-reasons.ts';

/** What became of dead letters. */
export interface ReplayCounts {
  indexed: number;
  /** The store had their events already. */
  present: number;
  /** They were refused again, all or some of their events, and stay as they are. */
  failed: number;
  /** They contain nothing that could be indexed, and stay as they are. */
  impossible: number;
}

export interface ReplayOptions extends Omit<IndexerOptions, 'replay' | 'metrics'> {
  readonly selection: DeadLetterSelection;
  /** Also dead letters that were replayed before. */
  readonly again: boolean;
  /** Ends it early: what is done is marked, the rest stays. */
  readonly signal: AbortSignal;
}

/** Dead letters in hand at once: each is small, and its record costs more than its bytes. */
const IN_HAND_MAX = 5000;
const MARKED_AT_ONCE = 500;
/** For what is at the store when it is stopped. */
const STOP_LIMIT_MS = 5000;
/** The partitions of the dead letters' records: of those that ended whoever opened them, and of all others. */
const POISONOUS = 1;
const OTHERS = 0;

interface InHand {
  readonly deadLetter: ReadDeadLetter;
  readonly endings: Set<Ending>;
}

export class Replay {
  readonly counts: ReplayCounts = { indexed: 0, present: 0, failed: 0, impossible: 0 };
  /** Why dead letters cannot be replayed, and how many. */
  readonly impossible = new Map<string, number>();
  /** Why events were refused again, and how many. */
  readonly refused = new Map<string, number>();
  readonly #options: ReplayOptions;
  readonly #core: IndexerCore;
  readonly #inHand = new Map<number, InHand>();
  readonly #assignment = new Assignment(1, [
    { partition: POISONOUS, next: 0 },
    { partition: OTHERS, next: 0 },
  ]);
  #next = 0;
  #done: DeadLetterPosition[] = [];
  readonly #changed = new ChangeSignal();

  constructor(options: ReplayOptions) {
    this.#options = options;
    const positionOf = ({ offset }: { offset: number }): string => this.#inHand.get(offset)?.deadLetter.from ?? '';
    // Of its own, and read by nobody: a service beside it counts its own events only.
    const metrics = new Metrics({ version: '', command: 'replay' }, { ofProcess: false });
    // What would be new dead letters is reported instead.
    const queue = {
      appendBytesMax: options.queue.appendBytesMax,
      appendDeadLetters: async (deadLetters: readonly DeadLetter[]) =>
        deadLetters.forEach((deadLetter) => noteRefusal(this.refused, deadLetter)),
    };
    this.#core = buildCore({ ...options, queue, metrics, replay: { positionOf } }, () => []);
    this.#assignment.suspicion.assigned(POISONOUS, SUSPECT_FROM_TRY);
    this.#core.pipeline.onTried(() => this.#changed.notify());
    this.#core.ledger.follow((record, ending) => this.#settled(record, ending));
  }

  /** Why the store takes nothing now; null while it does. */
  get unhealthyReason(): string | null {
    return this.#core.writer.unhealthyReason;
  }

  /**
   * Replays what is selected. Rejects where the queue cannot be read or the marks cannot be stored; then dead letters
   * may come again.
   */
  async run(): Promise<void> {
    const { queue, selection, again, signal } = this.#options;
    const { pipeline } = this.#core;
    const stopped = Promise.withResolvers<void>();
    const stop = (): void => {
      stopped.resolve();
      this.#changed.notify();
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      const survey = await surveyDeadLetters(queue, selection.fromMs, signal);
      for await (const deadLetter of readDeadLetters(queue, selection, { survey, signal })) {
        if (!again && survey.replayed.has(deadLetter)) continue;
        await this.#take(deadLetter);
        if (signal.aborted) break;
      }
      await Promise.race([pipeline.finish({ isWhole: () => true }), stopped.promise]);
    } catch (error) {
      // What reading says of our own stop is no failure.
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      await pipeline.stop(STOP_LIMIT_MS);
      await this.#mark(0);
    }
    const left = this.#inHand.size;
    if (left > 0 || signal.aborted)
      throw new SluiceError(
        'shutting_down',
        `Cannot replay all dead letters: it was stopped; those that are not done stay`,
      );
  }

  async #take(deadLetter: ReadDeadLetter): Promise<void> {
    const record = recordOfDeadLetter(deadLetter);
    if (typeof record === 'string') {
      this.counts.impossible++;
      this.impossible.set(record, (this.impossible.get(record) ?? 0) + 1);
      return;
    }
    const { pipeline, budget } = this.#core;
    const offset = this.#next++;
    this.#inHand.set(offset, { deadLetter, endings: new Set() });
    const partition = deadLetter.reason === 'record_poisonous' ? POISONOUS : OTHERS;
    const fetched = { ...record, partition, offset, timestampMs: deadLetter.timeMs };
    const { signal } = this.#options;
    // What is to be tried out finds no room at times.
    while (pipeline.push(this.#assignment, [fetched]) !== null && !signal.aborted) await this.#changed.next();
    while ((!budget.hasRoom || this.#inHand.size >= IN_HAND_MAX) && !signal.aborted) {
      if (!budget.hasRoom) this.#changed.notifyOfRoom(budget);
      await this.#changed.next();
    }
    await this.#mark(MARKED_AT_ONCE);
  }

  #settled(record: RecordInHand, ending: Ending): void {
    const { offset } = record.fetched;
    const inHand = this.#inHand.get(offset);
    inHand?.endings.add(ending);
    if (!inHand || record.unsettled > 0) return;
    const { deadLetter, endings } = inHand;
    // It is read again with the next replay.
    if (endings.has('abandoned')) return;
    this.#changed.notify();
    if (endings.has('dead_lettered')) {
      this.counts.failed++;
      this.#inHand.delete(offset);
      return;
    }
    if (endings.has('indexed')) this.counts.indexed++;
    else this.counts.present++;
    this.#inHand.delete(offset);
    this.#done.push({ partition: deadLetter.partition, offset: deadLetter.offset });
  }

  /** Says which dead letters are done, if there are more than so many. */
  async #mark(moreThan: number): Promise<void> {
    if (this.#done.length <= moreThan) return;
    const done = this.#done;
    this.#done = [];
    await this.#options.queue.appendDeadLetters([replayMark(done)]);
  }
}
