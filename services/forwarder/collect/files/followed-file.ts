// One file that is read as it grows, from where its generation was left. It is read by its descriptor, so neither a
// rename nor a deletion takes anything from it.
//
// Guarantees: the generation's place moves only when the queue holds all lines before it. Before anything is read, the
// bytes just before it are compared with what was there: where they differ, or the file is shorter, it is another one.
// What follows the last line feed stays unread, so nothing is kept in memory of a file that waits.

import type { FileHandle } from 'node:fs/promises';
import { type FileEntries, writeRest } from '../../decode/files/file-entries.ts';
import { CHECK_BYTES, checkOf, headOf, isWrittenSince, lastOf, markOf, placeHeld, readAt } from './file-bytes.ts';
import { identityOf, isFileError, openRegular } from './file-identity.ts';
import { FileReads } from './file-reads.ts';
import type { FoundFile } from './found-files.ts';
import { NulRun, spendNuls } from './nul-run.ts';
import { type Generation, unreadBytesOf } from '../checkpoints/generations.ts';
import type { Reader, Slot } from '../turns/reading-turns.ts';
import { type FileTimes, RewriteCheck } from './rewrite-check.ts';
import type { FollowOptions } from '../sources/follow-options.ts';

export class FollowedFile implements Reader {
  readonly generation: Generation;
  readonly options: FollowOptions<FollowedFile>;
  readonly handle: FileHandle;
  /** Where it was last seen; for messages. */
  path: string;
  /** Whether the number of its generation is saved; before, nothing is read. */
  isStarted = false;
  /** False: the file system has no name for it any more. */
  isLinked = true;
  /** By a monotonic clock: when it was last seen to have grown. */
  grownMs = 0;
  /** Whether it ends in something that is no line yet, and was not given as one. */
  hasUnfinished = false;
  /** Set by who has waited long enough for the end of the last line. */
  wantsUnfinished = false;
  /** By a monotonic clock: since when it has something that is not read; null where all is. */
  behindSinceMs: number | null = null;
  isOver = false;
  isInTurn = false;
  /** By a monotonic clock: until then it is not read, for its source had more than its budget. */
  heldUntilMs = 0;
  /** Bytes before it were there when the generation began: nobody knows whether they were written for it. */
  unpaidEnd = 0;
  #size = 0;
  #entries: FileEntries | null = null;
  /** The bytes before the next to read. */
  #check: Buffer;
  #looked = { size: -1, writtenMs: 0 };
  #nuls: NulRun | null = null;
  readonly #rewrite = new RewriteCheck();
  readonly #reads: FileReads;
  /** At the last look, NULs followed what is read: somebody may write in their place. */
  #endsInNuls = false;

  private constructor(
    path: string,
    handle: FileHandle,
    generation: Generation,
    options: FollowOptions<FollowedFile>,
    check: Buffer,
    reads: FileReads,
  ) {
    this.path = path;
    this.handle = handle;
    this.generation = generation;
    this.options = options;
    this.#check = check;
    this.#reads = reads;
  }

  /** `lost`: not what the generation was read from; `replaced`: another file. Rejects where it cannot be read. */
  static async open(
    { path, identity }: Pick<FoundFile, 'path' | 'identity'>,
    generation: Generation,
    options: FollowOptions<FollowedFile>,
  ): Promise<FollowedFile | 'lost' | 'replaced'> {
    const handle = await openRegular(path, options);
    const closed = (why: 'lost' | 'replaced') => handle.close().then(() => why);
    try {
      if ((await identityOf(handle)) !== identity) return await closed('replaced');
      const times = await handle.stat();
      const check = await checkOf(handle, generation);
      if (check === null) return await closed('lost');
      const reads = new FileReads(handle, path, times, options);
      const file = new FollowedFile(path, handle, generation, options, check, reads);
      // As it was when it was read: its first turn may be much later.
      const { size, writtenMs } = generation;
      if (writtenMs > 0) file.#looked = { size, writtenMs };
      if (isWrittenSince(file.#looked, times)) file.#rewrite.begin(times, options.nowMs());
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The same descriptor, for what the file has now. */
  restarted(generation: Generation): FollowedFile {
    const file = new FollowedFile(this.path, this.handle, generation, this.options, Buffer.alloc(0), this.#reads);
    return Object.assign(file, { isLinked: this.isLinked, grownMs: this.grownMs, unpaidEnd: this.#size });
  }

  get unreadBytes(): number {
    return unreadBytesOf(this.generation);
  }

  readonly waitMs = (): number => {
    if (this.isOver) return 0;
    const budgetMs = this.options.budget?.waitMs(this.#rewrite.isComparing) ?? 0;
    const waitMs = Math.max(budgetMs, this.options.waitMs?.() ?? 0);
    this.heldUntilMs = this.options.nowMs() + waitMs;
    return waitMs;
  };

  async turn(slot: Slot): Promise<boolean> {
    if (this.isOver || !this.isStarted) return false;
    this.isInTurn = true;
    try {
      let hasMore = await this.#read(slot);
      // In another turn, where others have the slot by now.
      if (hasMore === false && this.wantsUnfinished) hasMore = slot.isLeft || (await this.#giveUnfinished(slot));
      if (hasMore !== null) return hasMore;
      this.isOver = true;
      this.options.replaced(this);
    } catch (error) {
      if (!isFileError(error)) throw error;
      this.options.failed(this, error);
    } finally {
      this.isInTurn = false;
    }
    return false;
  }

  /** Whether there is more; null where the file has other content. */
  async #read(slot: Slot): Promise<boolean | null> {
    const { generation } = this;
    const times = await this.#reads.status(this.path);
    const { size, mtimeMs, nlink } = times;
    this.#size = size;
    if (nlink === 0) this.isLinked = false;
    const before = this.#entries?.offset ?? generation.place.offset;
    if (size < Math.max(before, generation.size)) return null;
    const rewritten = await this.#isRewritten(times, slot.buffer);
    if (rewritten !== 'same') return rewritten === 'anew' ? null : rewritten === 'more';
    this.#seen(size);
    const start = before - this.#check.length;
    const isUnwanted = before < generation.skipEnd;
    const bytesMax = isUnwanted ? generation.skipEnd - start : slot.buffer.length;
    const end = await this.#reads.read(slot.buffer, start, bytesMax, size);
    if (end < this.#check.length || !slot.buffer.subarray(0, this.#check.length).equals(this.#check)) return null;
    const from = this.#check.length;
    this.#entries ??= await this.#begin();
    if (this.#entries === null || end === from) return this.#settle(size, mtimeMs, end > from);
    const { chain, line, malformed } = this.#entries;
    slot.writer.reset();
    const { at, count, isFull } = this.#entries.take(slot.writer, slot.buffer, from, end);
    this.#check = lastOf(slot.buffer, at, this.#check);
    this.options.malformed(this.path, this.#entries.malformed - malformed);
    // All of the first run, until a place is known: then the bytes before that tell as much.
    if (start === 0 && count > 0) generation.head = headOf(slot.buffer.subarray(0, at));
    if (!isUnwanted) this.options.budget?.spend(at - from, count, before < this.unpaidEnd ? 0 : at - from);
    this.#endsInNuls = at < end && slot.buffer[end - 1] === 0;
    const held = this.#entries.line === line ? null : placeHeld(this.#entries.line, slot.buffer, start);
    if (count > 0 && !isUnwanted) await this.#give(slot, count, chain);
    if (held !== null) Object.assign(generation, held);
    // The line that goes on past what is not wanted is wanted.
    if (isUnwanted && at === from) generation.skipEnd *= -1;
    if (held !== null || isUnwanted) this.options.changed(generation);
    if (isFull || isUnwanted) return true;
    if (end < slot.buffer.length) return start + end < size || this.#settle(size, mtimeMs, at < end);
    // A buffer without a line feed has a part of a line in it, or NULs alone.
    if (at > from) this.#nuls = null;
    return at > from || (await this.#passNuls(slot.buffer, mtimeMs));
  }

  #seen(size: number): void {
    const { generation, options } = this;
    if (size !== this.#looked.size) {
      this.grownMs = options.nowMs();
      this.behindSinceMs ??= this.grownMs;
    }
    if (size <= generation.size) return;
    generation.size = size;
    // It goes with the size of a file that is read to its end.
    generation.writtenMs = 0;
    options.changed(generation);
  }

  /** All is read but what is no line yet. */
  #settle(size: number, writtenMs: number, hasRest: boolean): false {
    const { generation } = this;
    this.#looked = { size, writtenMs };
    this.#reads.ended();
    this.#rewrite.end();
    this.behindSinceMs = null;
    this.hasUnfinished = hasRest && size > generation.unfinishedEnd;
    if (generation.writtenMs === writtenMs || generation.size !== size) return false;
    generation.writtenMs = writtenMs;
    this.options.changed(generation);
    return false;
  }

  /** `same`: it has what was read, and what follows may be read. */
  async #isRewritten(times: FileTimes, buffer: Buffer): Promise<'wait' | 'more' | 'same' | 'anew'> {
    const { generation, handle, options } = this;
    const isWritten = options.hasTrueTimes && !this.#endsInNuls && isWrittenSince(this.#looked, times);
    if (!isWritten) this.#rewrite.end();
    if (!isWritten) return 'same';
    const { offset, crc32 } = this.#entries ?? generation.place;
    const read = { offset, crc32, hasUnread: this.unreadBytes > 0, source: generation.source };
    const found = await this.#rewrite.step({ handle, buffer, budget: options.budget }, times, read, options.nowMs());
    if (found === 'same' || found === 'anew') options.compared(this.path, found);
    if (found !== 'same') return found;
    this.#looked = { size: times.size, writtenMs: times.mtimeMs };
    this.#rewrite.end();
    // Of an end that is no line only the length is known: it is given again, and has the same name if it is the same.
    generation.unfinishedEnd = 0;
    return 'same';
  }

  /** Since the last look; false also where nobody knows without waiting. */
  get hasGrown(): boolean {
    return !this.isOver && !this.isInTurn && this.#reads.hasOther(this.#size);
  }

  /** Somebody wrote, and it has not grown: it wants another look. */
  get isSuspect(): boolean {
    return this.#rewrite.isUnder && !this.isOver;
  }

  /**
   * Gives what follows the last line feed as a line, for nothing was written for a while. Its place stays: if it goes
   * on, all of it has another name. The end of a line in parts waits until nothing can follow. True: there is more.
   */
  async #giveUnfinished(slot: Slot): Promise<boolean> {
    this.wantsUnfinished = false;
    const entries = this.#entries;
    if (entries === null || !this.hasUnfinished) return false;
    const from = this.#check.length;
    const end = await readAt(this.handle, slot.buffer, entries.offset - from, slot.buffer.length);
    const text = slot.buffer.subarray(from, Math.max(from, end));
    const isRest = end > from && end < slot.buffer.length && slot.buffer.subarray(0, from).equals(this.#check);
    if (isRest && entries.passesTorn(slot.buffer, from, end)) return true;
    // No program that writes records goes on with one when its file has another name.
    const mayGoOn = this.isLinked && (entries.headBytes === 0 || this.path === this.generation.source.path);
    const isWanted = !mayGoOn || entries.isAtLine;
    if (isWanted && !(isRest && (entries.headBytes > 0 || !text.includes(0x0a)))) return false;
    this.hasUnfinished = false;
    if (isWanted && text.some((byte) => byte !== 0)) await this.#giveRest(slot, entries, from, end);
    return false;
  }

  async #giveRest(slot: Slot, entries: FileEntries, from: number, end: number): Promise<void> {
    const { chain } = entries;
    const restEnd = entries.offset + end - from;
    if (restEnd === end) this.generation.head = headOf(slot.buffer.subarray(0, end));
    this.options.malformed(this.path, writeRest(entries, slot.writer, slot.buffer.subarray(from, end)));
    // Given as the end, it is read: who looks again before the file is closed goes on behind it.
    if (entries.offset === restEnd) this.#check = lastOf(slot.buffer, end);
    await this.#give(slot, 1, chain);
    this.generation.unfinishedEnd = restEnd;
    this.options.changed(this.generation);
  }

  /** What the slot's writer has. Nothing of the slot may be used after it. */
  async #give(slot: Slot, count: number, chain: Uint8Array): Promise<void> {
    const entries = slot.writer.take();
    slot.leave(entries.length);
    if (this.generation.place.offset === 0) {
      // Once of each file: so it is known later that something was read, how much there was, and how it began.
      this.options.changed(this.generation);
      await this.options.save();
    }
    await this.options.delivery.give({ tag: this.options.tag, entries, count, chain });
  }

  /** Null as long as nobody can say how the text is written. */
  async #begin(): Promise<FileEntries | null> {
    const head = await markOf(this.handle);
    return head === null ? null : this.options.newEntries(head, this.generation.place);
  }

  /** Whether there is more to read, which may be NULs; where nothing follows them, they are left. */
  async #passNuls(buffer: Buffer, writtenMs: number): Promise<boolean> {
    const entries = this.#entries;
    if (entries === null) return false;
    if (this.#nuls === null || this.#nuls.isStale(writtenMs)) this.#nuls = new NulRun(entries);
    const { offset } = entries;
    const step = await this.#nuls.step(this.handle, buffer, writtenMs);
    spendNuls(this.options.budget, buffer.length);
    if (entries.offset !== offset) this.#check = Buffer.alloc(CHECK_BYTES);
    if (step === 'over') this.#nuls = null;
    return step !== 'end';
  }

  async close(): Promise<void> {
    this.isOver = true;
    await this.handle.close();
  }
}
