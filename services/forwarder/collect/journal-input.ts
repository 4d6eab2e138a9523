// The input of the journal: has journalctl print what `collect.journal` asks for, from where it was left, until it is
// closed. Whatever becomes of journalctl, it is started again, and nothing else waits for it.
//
//   journalctl ─► journal-reader ─► delivery ─► intake/intake
//                 └ checkpoints (SQLite): the cursor behind which nothing is done yet
//
// Guarantees: a place is saved after the queue holds all entries before it; an entry that is read again has the same
// name; a place that is gone is told and counted, and reading goes on at the oldest entry there is.

import type { Clock } from '#shared/clock.ts';
import { unlessAborted } from '#shared/abort.ts';
import { type BackoffLimits, steadyBackoffMs } from '#shared/backoff.ts';
import { type JournalRule, prioritiesOf } from '#shared/config/settings/journal-rules.ts';
import { reasonOf } from '#shared/errors.ts';
import { journalChoice } from '../decode/journal/journal-choice.ts';
import { isCursor } from '../decode/journal/journal-cursor.ts';
import type { Intake, Room } from '../intake/chunk.ts';
import type { Checkpoints } from './checkpoints/checkpoints.ts';
import type { JournalPlace } from './checkpoints/journal-places.ts';
import { type Beginning, Journalctl } from './journal/journalctl.ts';
import { JournalReader, type ReadingEnd, type UnreadableEntry } from './journal/journal-reader.ts';
import type { JournalFigures, JournalTelemetry, Restart } from './journal/telemetry.ts';
import { Delivery } from './sources/delivery.ts';

export interface JournalInputOptions {
  readonly rule: JournalRule;
  readonly host: string;
  readonly entryBytesMax: number;
  readonly checkpoints: () => Promise<Checkpoints>;
  readonly intake: Intake;
  readonly room: Room;
  readonly clock: Clock;
  readonly newTelemetry: (figures: () => JournalFigures) => JournalTelemetry;
  /** Absent: journalctl, wherever programs lie. */
  readonly program?: string;
  readonly silenceMs?: number;
}

const PAUSES: BackoffLimits = { baseMs: 250, capMs: 30_000 };
const SILENCE_MS = 60_000;
/** Rubbish in the same place is the entry's. */
const TRIES_MAX = 3;
const TAG = 'journal';
const REASONS = { entry_malformed: 'malformed', entry_too_large: 'too_large' } as const;

export class JournalInput {
  readonly #options: JournalInputOptions;
  readonly #telemetry: JournalTelemetry;
  readonly #closing = new AbortController();
  readonly #delivery: Delivery;
  readonly #journalctl: Journalctl;
  readonly #running: Promise<void>;
  #reader: JournalReader | null = null;
  #checkpoints: Checkpoints | null = null;
  #place: JournalPlace;
  /** An entry that cannot be read. */
  #skipped: string | null = null;
  #isReading = false;
  #failures = 0;
  /** How often the same entry was rubbish. */
  #rubbish = { cursor: '', tries: 0 };

  constructor(options: JournalInputOptions) {
    this.#options = options;
    const { rule, clock, program = 'journalctl' } = options;
    const { signal } = this.#closing;
    this.#place = { journal: journalOf(rule), cursor: '', firstMs: 0 };
    this.#telemetry = options.newTelemetry(() => this.figures);
    this.#delivery = new Delivery({ ...options, signal });
    const complained = (line: string): void => this.#telemetry.complained(line);
    this.#journalctl = new Journalctl({ program, rule, clock, complained, signal });
    this.#running = this.#run();
    // Who closes it hears of its failure.
    this.#running.catch(() => undefined);
  }

  get figures(): JournalFigures {
    return { isReading: this.#isReading, behindSeconds: (this.#reader?.behindMs() ?? 0) / 1000 };
  }

  /** Ends with the entries that intake was given: what it then does not hold is read again by the next process. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the collector of the journal is closed'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    try {
      this.#checkpoints = await unlessAborted(this.#options.checkpoints(), signal);
      const reader = await this.#open(this.#checkpoints);
      this.#reader = reader;
      while (!signal.aborted) await this.#readOnce(reader);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await this.#reader?.settled();
      await this.#checkpoints?.save();
    }
  }

  async #open(checkpoints: Checkpoints): Promise<JournalReader> {
    const { rule, clock } = this.#options;
    const { signal } = this.#closing;
    const known = await checkpoints.journalPlace(this.#place.journal);
    const isFromEnd = known === null && rule.from === 'end';
    this.#place = known ?? { ...this.#place, firstMs: clock.epochMs() };
    this.#move(isFromEnd ? ((await this.#newest()) ?? '') : this.#place.cursor);
    // From now on it is known that it was read.
    if (isFromEnd) await checkpoints.save();
    this.#telemetry.started({
      from: known !== null ? 'where it was left' : isFromEnd ? 'the end' : 'the beginning',
    });
    return new JournalReader({
      ...this.#options,
      journalctl: this.#journalctl,
      choice: journalChoice({ ...rule, priorities: prioritiesOf(rule.priority) }),
      tag: rule.tag ?? TAG,
      delivery: this.#delivery,
      silenceMs: this.#options.silenceMs ?? SILENCE_MS,
      // A part of the journal has not all numbers.
      missedSinceUs: rule.scope === undefined ? this.#place.firstMs * 1000 : null,
      moved: (cursor) => this.#move(cursor),
      telemetry: this.#telemetry,
      signal,
    });
  }

  /** Where an end is asked for, the journal has to say where that is, however long that takes. */
  async #newest(): Promise<string | null> {
    for (;;) {
      try {
        return await this.#journalctl.newest();
      } catch (error) {
        await this.#pause('unanswered', reasonOf(error));
      }
    }
  }

  #move(cursor: string): void {
    this.#place = { ...this.#place, cursor };
    this.#checkpoints?.moveJournal(this.#place);
  }

  async #readOnce(reader: JournalReader): Promise<void> {
    const beginning = await this.#beginning(reader);
    if (beginning === 'unknown') return;
    const before = this.#place.cursor;
    this.#isReading = true;
    const end = await reader.read(beginning).finally(() => (this.#isReading = false));
    // Nothing is read twice: the next one begins behind all that this one gave.
    await reader.settled();
    if (this.#closing.signal.aborted) return;
    if (this.#place.cursor !== before) this.#failures = 0;
    if (end.kind === 'cursor_lost') this.#lost('journalctl begins with another entry');
    else if (end.kind === 'unreadable') await this.#pass(reader, end);
    else await this.#pause(restartOf(end), end.why);
  }

  /** Where to go on; unknown where journalctl does not say whether it can. */
  async #beginning(reader: JournalReader): Promise<Beginning | 'unknown'> {
    const at = this.#place.cursor;
    if (at === '') return null;
    reader.continueBehind(at);
    if (at === this.#skipped) return { behind: at };
    try {
      const found = isCursor(at) ? await this.#journalctl.first({ at }, 1) : [];
      if (found[0] === at) return { at };
    } catch (error) {
      // It may be the cursor alone that it does not take.
      const answers = await this.#journalctl.newest().then(
        () => true,
        () => false,
      );
      if (!answers) {
        await this.#pause('unanswered', reasonOf(error));
        return 'unknown';
      }
    }
    this.#lost('it is not in the journal any more');
    return null;
  }

  #lost(why: string): void {
    if (this.#closing.signal.aborted) return;
    this.#telemetry.cursorLost(this.#place.cursor);
    this.#telemetry.restart('cursor_lost', { why, waitMs: 0 });
    // Until an entry is held, a start goes on at the oldest one, too, and tells nothing twice.
    this.#move('');
  }

  /** An entry that cannot be read is passed over, once it is sure that it is the entry. */
  async #pass(reader: JournalReader, { reason, why, cursor, bytes }: UnreadableEntry): Promise<void> {
    const restart = REASONS[reason];
    if (cursor === null) return this.#pause(restart, why);
    this.#rubbish = { cursor, tries: this.#rubbish.cursor === cursor ? this.#rubbish.tries + 1 : 1 };
    if (reason === 'entry_malformed' && this.#rubbish.tries < TRIES_MAX) return this.#pause(restart, why);
    const tag = this.#options.rule.tag ?? TAG;
    await this.#delivery.deadLetter({ tag, input: 'journald', bytes, reason, error: why, cut: true });
    this.#telemetry.unreadable(why, cursor);
    this.#telemetry.restart(restart, { why, waitMs: 0 });
    this.#skipped = cursor;
    reader.pass(cursor);
  }

  async #pause(reason: Restart, why: string): Promise<void> {
    const waitMs = steadyBackoffMs(this.#failures, PAUSES);
    this.#failures += 1;
    this.#telemetry.restart(reason, { why, waitMs });
    await this.#options.clock.sleep(waitMs, this.#closing.signal);
  }
}

function restartOf({ isMissing, isSilent }: Extract<ReadingEnd, { kind: 'ended' }>): Restart {
  if (isMissing) return 'missing';
  return isSilent ? 'silent' : 'ended';
}

/** Which journal a place is of. What is chosen in it does not matter: all of it is read. */
function journalOf({ scope, directory, namespace }: JournalRule): string {
  return JSON.stringify([scope ?? '', directory ?? '', namespace ?? '']);
}
