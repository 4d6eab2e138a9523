// NULs in a file, where lines are expected: what a truncation left of a file whose writer went on at its old place, or
// what was made longer before it is written. A step at a time, for there may be a terabyte of them that nobody wrote:
// first to where they end, then over them. Where nothing follows them they are left: somebody may write in their place.

import type { FileHandle } from 'node:fs/promises';
import type { FileEntries } from '../../decode/files/file-entries.ts';
import type { SourceBudget } from '../sources/source-budgets.ts';
import { NULS, nulsIn, readAt } from './file-bytes.ts';

/** CRCs of some milliseconds. */
const PASSED_AT_ONCE = 16 * 1024 * 1024;
/** NULs that count as a line of no bytes: they cost who makes a file longer nothing. */
const BYTES_PER_LINE = 16 * 1024;

export class NulRun {
  readonly #entries: FileEntries;
  #to: number;
  /** The bytes behind them are known: they are passed over. */
  #isPassed = false;
  /** When the file was written last, as it ended in them; null: something may follow. */
  #endedMs: number | null = null;

  /** From the next byte of the entries on. */
  constructor(entries: FileEntries) {
    this.#entries = entries;
    this.#to = entries.offset;
  }

  /** Whether the file has been written since it ended in them: all of them have to be looked at again. */
  isStale(writtenMs: number): boolean {
    return this.#endedMs !== null && this.#endedMs !== writtenMs;
  }

  /** `over`: the entries go on behind them; `end`: nothing follows. */
  async step(handle: FileHandle, buffer: Buffer, writtenMs: number): Promise<'more' | 'over' | 'end'> {
    if (this.#isPassed) return this.#pass();
    const bytes = await readAt(handle, buffer, this.#to, buffer.length);
    const nuls = nulsIn(buffer.subarray(0, bytes));
    this.#to += nuls;
    this.#isPassed = nuls < bytes;
    this.#endedMs = bytes === 0 ? writtenMs : null;
    return bytes === 0 ? 'end' : 'more';
  }

  #pass(): 'more' | 'over' {
    const entries = this.#entries;
    const nuls = Math.max(0, this.#to - entries.offset - entries.headBytes);
    // In whole units, whatever the encoding.
    const left = nuls - (nuls % 2);
    for (let bytes = Math.min(left, PASSED_AT_ONCE); bytes > 0; bytes -= NULS.length)
      entries.pass(NULS.subarray(0, Math.min(bytes, NULS.length)));
    return left > PASSED_AT_ONCE ? 'more' : 'over';
  }
}

export function spendNuls(budget: SourceBudget | null, bytes: number): void {
  const lines = bytes / BYTES_PER_LINE;
  budget?.spend(0, lines, lines);
}
