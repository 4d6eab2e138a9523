// Whether a file that was written, and has not grown, has other content now. Its bytes are compared with what was read,
// by their CRC-32: a step at a time, at a pace that all files share, for there may be gigabytes of them.
//
//   other bytes                                       written anew
//   the same, and somebody set its times (`touch`)    the same
//   the same, and it had bytes that are not read      the same: those may have been written
//   the same otherwise                                written anew: some programs write the same each time; once an
//                                                     hour of a source, and up to 64 MiB, for nothing tells it from
//                                                     times that were set in other ways, for nothing
//   at most 4 KiB                                     written anew
//
// `touch` sets the time of the last access to that of the last write; a write does not. So in doubt lines come twice,
// but for one limit: who reads the file in the same tick of the system's clock as it was written (some 4 ms) sets the
// time of the access to that of the write, so that a copy of what was read is taken for a `touch`.

import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { SourceBudget } from '../sources/source-budgets.ts';
import type { Source } from '../checkpoints/generations.ts';
import { readAt } from './file-bytes.ts';

/** No write is under way so long without a byte more. */
const SUSPECT_MS = 500;
/** What is written anew each time is small, and comes twice for little. */
const SMALL_BYTES = 4096;
/** What comes twice, though nobody may have written it. */
const DOUBLED_BYTES_MAX = 64 * 1024 * 1024;
const DOUBLED_EACH_MS = 3_600_000;

export interface FileTimes {
  readonly size: number;
  /** Ms since the epoch: the last write, and the last access. */
  readonly mtimeMs: number;
  readonly atimeMs: number;
}

/** Read so far, and not by this reading: `crc32` of all bytes before `offset`. */
interface ReadBytes {
  readonly offset: number;
  readonly crc32: number;
  /** Whether the file had bytes that are not held by the queue. */
  readonly hasUnread: boolean;
  readonly source: Pick<Source, 'doubledMs'>;
}

export class RewriteCheck {
  #writtenMs: number | null = null;
  #sinceMs = 0;
  #isTouched = false;
  #compared = { offset: 0, crc32: 0 };

  get isUnder(): boolean {
    return this.#writtenMs !== null;
  }

  /** Whether its bytes are being compared. */
  get isComparing(): boolean {
    return this.#compared.offset > 0;
  }

  /** The times, before anything is read: that is an access. */
  begin({ mtimeMs, atimeMs }: FileTimes, nowMs: number): void {
    this.#writtenMs = mtimeMs;
    this.#sinceMs = nowMs;
    this.#isTouched = mtimeMs === atimeMs;
    this.#compared = { offset: 0, crc32: 0 };
  }

  end(): void {
    this.#writtenMs = null;
    this.#compared = { offset: 0, crc32: 0 };
  }

  /**
   * `wait`: a write may be under way, which looks the same, but not for long, or others compare too much; `more`: is to
   * be called again.
   */
  async step(
    { handle, buffer, budget }: { handle: FileHandle; buffer: Buffer; budget: SourceBudget | null },
    times: FileTimes,
    read: ReadBytes,
    nowMs: number,
  ): Promise<'wait' | 'more' | 'same' | 'anew'> {
    if (this.#writtenMs !== times.mtimeMs) this.begin(times, nowMs);
    if (nowMs - this.#sinceMs < SUSPECT_MS) return 'wait';
    if (times.size <= SMALL_BYTES) return 'anew';
    const { offset } = this.#compared;
    // A file that has begun waits outside of the turns.
    if (offset === 0 && (budget?.waitMs(true) ?? 0) > 0) return 'wait';
    const bytes = await readAt(handle, buffer, offset, read.offset - offset);
    budget?.compared(bytes);
    if (bytes === 0 && offset < read.offset) return 'anew';
    this.#compared = { offset: offset + bytes, crc32: crc32(buffer.subarray(0, bytes), this.#compared.crc32) };
    if (this.#compared.offset < read.offset) return 'more';
    if (this.#compared.crc32 !== read.crc32) return 'anew';
    return this.#isTouched || read.hasUnread || !mayDouble(read.source, times.size, nowMs) ? 'same' : 'anew';
  }
}

function mayDouble(source: Pick<Source, 'doubledMs'>, size: number, nowMs: number): boolean {
  if (size > DOUBLED_BYTES_MAX || nowMs - source.doubledMs < DOUBLED_EACH_MS) return false;
  source.doubledMs = nowMs;
  return true;
}
