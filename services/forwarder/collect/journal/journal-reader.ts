// Reads what one journalctl prints after another, and gives each entry that is wanted to intake, under the name of its
// cursor. Each is a chunk of its own, as an upload's are: so it has the same name wherever a reading begins.
//
// Guarantees: the place moves only over entries that the queue holds, or that are not wanted; journalctl waits as long
// as intake has no room, or too many entries are on their way; an entry that cannot be read is told with its cursor.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import { contentOf } from '../../decode/content-name.ts';
import { type JournalChoice } from '../../decode/journal/journal-choice.ts';
import { EntryNumbers, writtenUs } from '../../decode/journal/journal-cursor.ts';
import { journalEntry } from '../../dialects/journal/entry.ts';
import { ExportScanner, type JournalField } from '../../dialects/journal/export-format.ts';
import type { Room } from '../../intake/chunk.ts';
import type { Delivery } from '../sources/delivery.ts';
import { HeldPrefix } from './held-prefix.ts';
import type { Beginning, Journalctl, JournalProcess } from './journalctl.ts';
import { watchSilence } from './silence.ts';

export interface JournalReaderOptions {
  readonly journalctl: Journalctl;
  readonly choice: JournalChoice;
  readonly tag: string;
  readonly entryBytesMax: number;
  readonly delivery: Delivery;
  readonly room: Room;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** So long nothing has to come before the journal is asked whether there is more. */
  readonly silenceMs: number;
  /** Entries from then on are missed where their numbers have a gap; null: none is. Microseconds since the epoch. */
  readonly missedSinceUs: number | null;
  /** Whatever is up to this cursor is done. */
  readonly moved: (cursor: string) => void;
  readonly telemetry: {
    /** `count`: of entries whose numbers are missing. */
    missing(count: number): void;
    read(isWanted: boolean): void;
  };
}

export type ReadingEnd =
  | { readonly kind: 'ended'; readonly why: string; readonly isMissing: boolean; readonly isSilent: boolean }
  | { readonly kind: 'cursor_lost' }
  | UnreadableEntry;

export interface UnreadableEntry {
  readonly kind: 'unreadable';
  readonly reason: 'entry_malformed' | 'entry_too_large';
  readonly why: string;
  /** Null where it is not known which entry it is, or whether it is one. */
  readonly cursor: string | null;
  /** Its beginning. */
  readonly bytes: Buffer;
}

/** Real entries have a kilobyte. */
const ON_THEIR_WAY_MAX = 128;
const UNREADABLE_BYTES = 64 * 1024;
const SILENT = 'it printed nothing although the journal has more';
const CURSOR = '__CURSOR';
const NO_CURSOR = 'an entry has no cursor';
const FIRST_LINE = /^__CURSOR=([!-~]{1,512})\n/;

export class JournalReader {
  readonly #options: JournalReaderOptions;
  readonly #numbers = new EntryNumbers();
  readonly #prefix: HeldPrefix;
  readonly #onTheirWay = new Set<Promise<void>>();
  #hasSlot: (() => void) | null = null;
  /** The last entry that came, whatever became of it; null before the first. */
  #last: string | null = null;
  #lastUs: number | null = null;
  /** Grows with every piece that comes. */
  #heard = 0;
  #heardMs = Number.NEGATIVE_INFINITY;
  /** Whether it is for journalctl to go on. */
  #isListening = false;

  constructor(options: JournalReaderOptions) {
    this.#options = options;
    this.#prefix = new HeldPrefix(options.moved);
  }

  /** Entries that came, and are neither held nor passed over. */
  get onTheirWay(): number {
    return this.#prefix.length;
  }

  /** How long ago the entry was written that is read now, or waits longest; 0 where all is held. */
  behindMs(): number {
    const { clock } = this.#options;
    const isQuiet = clock.monotonicMs() - this.#heardMs > QUIET_MS;
    const us = this.#prefix.oldestUs ?? (isQuiet ? null : this.#lastUs);
    return us === null ? 0 : Math.max(0, clock.epochMs() - us / 1000);
  }

  /** What was held before: entries that come next follow it. */
  continueBehind(cursor: string): void {
    this.#last = cursor;
    this.#numbers.take(cursor);
  }

  /** The entry that cannot be read is done. */
  pass(cursor: string): void {
    this.#came(cursor)();
  }

  /** Resolves when all that was read is held, or given up for the end. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#onTheirWay);
  }

  /** Reads until journalctl ends, for whatever reason. */
  async read(beginning: Beginning): Promise<ReadingEnd> {
    const { journalctl, clock, silenceMs } = this.#options;
    await using child = journalctl.follow(beginning);
    let isSilent = false;
    using _watch = watchSilence({
      clock,
      silenceMs,
      heard: () => (this.#isListening ? this.#heard : null),
      hasMore: () => this.#hasMore(),
      silent: () => {
        isSilent = true;
        child.kill(SILENT);
      },
    });
    try {
      const end = await this.#readAll(child, beginning !== null && 'at' in beginning ? beginning.at : null);
      if (end !== null) return end;
      const why = (await child.failure()) ?? 'it ended';
      return { kind: 'ended', why, isMissing: child.isMissing, isSilent };
    } finally {
      this.#isListening = false;
    }
  }

  /** `at`: the entry that has to come first; it is held already. */
  async #readAll(child: JournalProcess, at: string | null): Promise<ReadingEnd | null> {
    const { entryBytesMax, signal, clock } = this.#options;
    const scanner = new ExportScanner({ entryBytesMax });
    let expected = at;
    this.#isListening = true;
    for await (const piece of child.output()) {
      this.#isListening = false;
      this.#heard += 1;
      this.#heardMs = clock.monotonicMs();
      scanner.push(piece);
      for (let result = scanner.next(); result.kind !== 'need_more'; result = scanner.next()) {
        if (signal.aborted) return null;
        if (result.kind === 'malformed') return unreadable(scanner.unfinished, 'entry_malformed', result.why);
        if (result.kind === 'too_large')
          return unreadable(scanner.unfinished, 'entry_too_large', `it has more than ${entryBytesMax} bytes`);
        const cursor = cursorOf(result.fields);
        if (cursor === null) return unreadable(Buffer.alloc(0), 'entry_malformed', NO_CURSOR);
        if (expected !== null && cursor !== expected) return { kind: 'cursor_lost' };
        if (expected === null) await this.#take(cursor, result.fields);
        expected = null;
      }
      this.#isListening = true;
    }
    return null;
  }

  async #take(cursor: string, fields: readonly JournalField[]): Promise<void> {
    const { choice, telemetry, room, signal } = this.#options;
    const done = this.#came(cursor);
    const isWanted = choice(fields);
    telemetry.read(isWanted);
    if (!isWanted) return done();
    const onItsWay: Promise<void> = this.#give(cursor, fields, done).finally(() => this.#over(onItsWay));
    this.#onTheirWay.add(onItsWay);
    while (!room.hasRoom && !signal.aborted) await room.room(signal);
    while (this.#onTheirWay.size >= ON_THEIR_WAY_MAX && !signal.aborted) await this.#slot();
  }

  /** To be called when it is done. */
  #came(cursor: string): () => void {
    const { telemetry, missedSinceUs } = this.#options;
    const us = writtenUs(cursor);
    const missing = this.#numbers.take(cursor);
    if (missing > 0 && us !== null && missedSinceUs !== null && us >= missedSinceUs) telemetry.missing(missing);
    this.#last = cursor;
    this.#lastUs = us;
    return this.#prefix.add(cursor, us);
  }

  /** Never rejects: what is given up at the end is not done. */
  async #give(cursor: string, fields: readonly JournalField[], done: () => void): Promise<void> {
    const { entryBytesMax, delivery, tag } = this.#options;
    // Fields are copied, keys may be longer, and one of them is there twice.
    const entry = journalEntry(fields, 3 * entryBytesMax);
    assert(entry !== null, 'an entry grows no more than that');
    // What systemd says of an entry's place is no part of it: a later one says more.
    const content = contentOf(
      ...fields.flatMap(({ name, value }) => (name.startsWith('__') ? [] : [name, '=', value, '\n'])),
    );
    const named = { chunkId: Buffer.from(cursor, 'latin1'), content };
    try {
      await delivery.giveNamed({ tag, input: 'journald', ...named, entries: entry.entries, count: 1 });
    } catch {
      return;
    }
    done();
  }

  #over(onItsWay: Promise<void>): void {
    this.#onTheirWay.delete(onItsWay);
    this.#hasSlot?.();
    this.#hasSlot = null;
  }

  #slot(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#hasSlot = resolve;
    return promise;
  }

  async #hasMore(): Promise<boolean> {
    const { journalctl } = this.#options;
    if (this.#last === null) return (await journalctl.first(null, 1)).length > 0;
    const [first, second] = await journalctl.first({ at: this.#last }, 2);
    return first === this.#last ? second !== undefined : first !== undefined;
  }
}

/** Somebody who has nothing to print is not behind. */
const QUIET_MS = 2000;

function cursorOf(fields: readonly JournalField[]): string | null {
  return fields.find(({ name }) => name === CURSOR)?.value.toString('latin1') ?? null;
}

function unreadable(bytes: Buffer, reason: UnreadableEntry['reason'], why: string): UnreadableEntry {
  const beginning = Buffer.from(bytes.subarray(0, UNREADABLE_BYTES));
  const [, cursor = null] = FIRST_LINE.exec(beginning.toString('latin1', 0, 600)) ?? [];
  return { kind: 'unreadable', reason, why, cursor, bytes: beginning };
}
