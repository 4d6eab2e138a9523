// What an entry is, before a document is made of it: a part of a line that was split, a line of a stack trace, or a
// document by itself; and its bytes, which are others if its line was sent with what a container runtime put around it
// (wrapper/). Pure.

import { FOREIGN_TEXT_INPUT } from '#shared/record/foreign-identity.ts';
import type { Batch } from '#shared/record/record.ts';
import { Entry } from '../entry.ts';
import { isText, textEnd, textStart } from '../fields.ts';
import * as names from '../names.ts';
import { type Part, partOf } from '../part.ts';
import type { PartGate } from '../part-gate.ts';
import type { TraceGate } from './trace-gate.ts';
import { sourceOf } from '../wrapper/line-source.ts';
import { Unwrapper } from '../wrapper/unwrapper.ts';

/** `part`: of a split line, `trace`: of a stack trace, to be joined first. */
export type EntryKind = 'document' | 'part' | 'trace' | 'entry_malformed';

export interface EntryReaderOptions {
  /** Which lines are to be joined to stack traces; absent: none. */
  readonly traces?: TraceGate | undefined;
  /** Whose lines may end one that was begun; absent: nobody's. */
  readonly parts?: PartGate | undefined;
  /** Whether lines are read for what they say. */
  readonly parse: boolean;
}

/** What is not in its source's format; and protocols that carry what a program wrote. */
const AS_IT_CAME: ReadonlySet<string> = new Set([FOREIGN_TEXT_INPUT, 'syslog', 'gelf', 'journal', 'journald']);

export class EntryReader {
  readonly entry = new Entry();
  /** Where the entry lies that was read last: as it came, or unwrapped, which is valid until the next one is read. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** Whether its line was taken out of what surrounded it. */
  isUnwrapped = false;
  /** What of a line the entry is, where it is a part. */
  part: Part | null = null;
  /** Whether it is a part that nothing is joined to, for its source is not told. */
  isLonePart = false;
  readonly #options: EntryReaderOptions;
  readonly #unwrapper = new Unwrapper();
  #tag = '';
  #unwraps = false;
  #isPosted = false;

  constructor(options: EntryReaderOptions) {
    this.#options = options;
  }

  /** The entries that follow are of the batch. */
  startBatch({ tag, input }: Batch): void {
    this.#tag = tag;
    this.#unwraps = this.#options.parse && !AS_IT_CAME.has(input);
    this.#isPosted = input === 'http';
  }

  /**
   * Looks at the entry in bytes[start, end).
   * @param index of the entry in its batch, the batch's `first` included
   * @param isUnwrapped whether its line was unwrapped before: that is done once
   */
  read(bytes: Uint8Array, start: number, end: number, index: number, isUnwrapped = false): EntryKind {
    const { entry } = this;
    if (!this.find(bytes, start, end)) return 'entry_malformed';
    if (!isUnwrapped) {
      if (entry.isMarkedPart && this.#isPart()) return 'part';
      if (this.#unwraps && this.#unwrap() && entry.isMarkedPart && this.#isPart()) return 'part';
      if (this.#isPartOfSource(index)) return 'part';
    }
    return !this.isLonePart && this.#isOfTrace(index) ? 'trace' : 'document';
  }

  /** Looks at an entry that is to be a document whatever it says. False where it is none. */
  find(bytes: Uint8Array, start: number, end: number): boolean {
    this.part = null;
    this.isLonePart = false;
    this.isUnwrapped = false;
    return this.#find(bytes, start, end);
  }

  /** Finds the entry again that was read last. */
  findAgain(): void {
    this.#find(this.bytes, this.start, this.end);
  }

  #find(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    return this.entry.find(bytes, start, end);
  }

  #isPart(): boolean {
    this.part = partOf(this.bytes, this.start, this.end);
    return this.part !== null;
  }

  #unwrap(): boolean {
    const own = this.#unwrapper.read(this.entry);
    if (own === null || (this.#isPosted && this.#isTold()) || !this.#find(own, 0, own.length)) return false;
    this.isUnwrapped = true;
    return true;
  }

  /** Whether a posted record tells its time, and not of which file it is: then its text is what a program wrote. */
  #isTold(): boolean {
    const { bytes, root, recordAt } = this.entry;
    if (this.#unwrapper.line.isRecord || names.timeNames.every((name) => root.values[name] === 0)) return false;
    return sourceOf(bytes, recordAt, this.#tag, '') === null;
  }

  /** Whether it is a part that tells no place in its line, or may end a line of such parts. */
  #isPartOfSource(index: number): boolean {
    const { entry, bytes, isUnwrapped } = this;
    const { root } = entry;
    if (!isUnwrapped && root.values[names.JOURNAL_CONTAINER] === 0) return false;
    const { goesOn, stream } = this.#unwrapper.line;
    const isJournals = root.values[names.JOURNAL_PART_ID] === 0 && this.#textOf(names.JOURNAL_PARTIAL) === 'true';
    const ends = !(isUnwrapped && goesOn) && !isJournals;
    const { isBegun = null, isPassed = null } = this.#options.parts ?? {};
    const isRepeat = ends && isPassed?.(index) === true;
    if (ends && isBegun === null && !isRepeat) return false;
    const streamName = (isUnwrapped ? stream : null) ?? this.#textOf(names.PRIORITY_NAME);
    const id = sourceOf(bytes, entry.recordAt, this.#tag, streamName);
    this.isLonePart = id === null && !ends;
    const textAt = root.findText(bytes, names.messageNames);
    if (id === null || textAt === 0 || (ends && !isRepeat && isBegun?.(id) !== true)) return false;
    const range = { textAt, textStart: textStart(bytes, textAt), textEnd: textEnd(bytes, textAt) };
    this.part = { id, ordinal: 0, last: ends, containerId: '', ...range };
    return true;
  }

  #isOfTrace(index: number): boolean {
    return this.#options.traces?.wants(this.bytes, this.entry, index) === true;
  }

  #textOf(name: number): string {
    const at = this.entry.root.values[name]!;
    if (at === 0 || !isText(this.bytes[at]!)) return '';
    return Buffer.from(this.bytes.subarray(textStart(this.bytes, at), textEnd(this.bytes, at))).toString('latin1');
  }
}
