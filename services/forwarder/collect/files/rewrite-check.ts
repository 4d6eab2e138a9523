// Whether a file that was written, and has not grown, has other content now. Its bytes are compared with what was read,
// by their CRC-32: a step at a time, at a pace that all files share, for there may be gigabytes of them.
//
//   other bytes                                       written anew
//   the same, and somebody set its times (`touch`)    the same
//   the same, and it had bytes that are not read      the same: those may have been written
//   the same otherwise, or at most 4 KiB              written anew: some programs write the same each time
//
// `touch` sets the time of the last access to that of the last write; a write does not. So in doubt lines come twice.

import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { SourceBudget } from '../sources/source-budgets.ts';
import { readAt } from './file-bytes.ts';

/** No write is under way so long without a byte more. */
const SUSPECT_MS = 500;
/** What is written anew each time is small, and comes twice for little. */
const SMALL_BYTES = 4096;

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
}

export class RewriteCheck {
  #writtenMs = 0;
  #sinceMs = 0;
  #isTouched = false;
  #compared = { offset: 0, crc32: 0 };

  get isUnder(): boolean {
    return this.#writtenMs !== 0;
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
    this.#writtenMs = 0;
    this.#compared = { offset: 0, crc32: 0 };
  }

  /** `wait`: a write may be under way, which looks the same, but not for long; `more`: is to be called again. */
  async step(
    { handle, buffer, budget }: { handle: FileHandle; buffer: Buffer; budget: SourceBudget | null },
    times: FileTimes,
    read: ReadBytes,
    nowMs: number,
  ): Promise<'wait' | 'more' | 'same' | 'anew'> {
    if (this.#writtenMs !== times.mtimeMs) this.begin(times, nowMs);
    if (nowMs - this.#sinceMs < SUSPECT_MS) return 'wait';
    if (times.size <= SMALL_BYTES || !(this.#isTouched || read.hasUnread)) return 'anew';
    const { offset } = this.#compared;
    const bytes = await readAt(handle, buffer, offset, read.offset - offset);
    budget?.compared(bytes);
    if (bytes === 0 && offset < read.offset) return 'anew';
    this.#compared = { offset: offset + bytes, crc32: crc32(buffer.subarray(0, bytes), this.#compared.crc32) };
    if (this.#compared.offset < read.offset) return 'more';
    return this.#compared.crc32 === read.crc32 ? 'same' : 'anew';
  }
}
