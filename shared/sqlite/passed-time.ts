// How much time has passed for a data folder, for retention. The wall clock may be wrong by years for a while (a clock
// chip before NTP has set it, an operator's mistake, a machine that was resumed), and whatever is deleted by it then is
// gone for good.
//
// So time passes by the clock that never jumps, and where that did not run (a stop, a suspended machine), by as much as
// the wall clock has moved ahead of all that it showed before, if that is plausible. What is not plausible passes no
// time, and is told.
//
//   wall clock   10:00 ── runs ── 10:05 ┄┄ stopped ┄┄ 14:00 ── runs ── 14:01   next year   14:03
//   passed           + 5 min            + 3 h 55 min     + 1 min        + 0, told   + 2 min
//
// Guarantees: never goes back; a clock that goes ahead and back again any number of times passes no time twice. What is
// written down is there twice, with a checksum: a flipped bit ends nothing by its age.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';

/** As of one moment. */
export interface Moment {
  readonly epochMs: number;
  /** From an arbitrary origin; never goes back. */
  readonly monotonicMs: number;
}

/** A stop of a day is ordinary; of more, keeping what is there a little longer does no harm. */
const PLAUSIBLE_MS = 86_400_000;
/** As often it is written down. What is not comes from the wall clock at the next start. */
const KEPT_EVERY_MS = 600_000;

// Versions before look at the first one or two only.
const NOW_ROW = 0;
const JUMPED_ROW = 1;
const COPY_ROW = 2;
const SEAL_ROW = 3;

interface Stood {
  readonly passed: number;
  readonly wall: number;
}

const sealOf = ({ passed, wall }: Stood, jumpedMs: number): number => crc32(`${passed} ${wall} ${jumpedMs}`);

export class PassedTime {
  readonly #keep: StatementSync;
  readonly #tell: (message: string) => void;
  #passedMs = 0;
  /** What the wall clock showed, and would show now if it ran on. */
  #wallMs: number | null = null;
  /** What the wall clock has jumped, ahead and back, that passed no time. */
  #jumpedMs = 0;
  #lastMs: number | null = null;
  #keptMs = Number.NEGATIVE_INFINITY;

  constructor(database: DatabaseSync, tell: (message: string) => void) {
    database.exec(
      'CREATE TABLE IF NOT EXISTS passed_time ' +
        '(id INTEGER PRIMARY KEY, passed INTEGER NOT NULL, wall INTEGER NOT NULL) STRICT',
    );
    this.#tell = tell;
    const row = database.prepare('SELECT passed, wall FROM passed_time WHERE id = ?');
    // A damaged one may be larger than numbers are exact.
    row.setReadBigInts(true);
    const at = (id: number): Stood | null => {
      const found = row.get(id);
      return found === undefined ? null : { passed: Number(found['passed']), wall: Number(found['wall']) };
    };
    this.#jumpedMs = at(JUMPED_ROW)?.passed ?? 0;
    const stood = this.#believed(at(NOW_ROW), at(COPY_ROW), at(SEAL_ROW)?.passed);
    if (stood !== null) {
      this.#passedMs = stood.passed;
      this.#wallMs = stood.wall;
    }
    this.#keep = database.prepare(
      'INSERT INTO passed_time VALUES (?, ?, ?) ' +
        'ON CONFLICT (id) DO UPDATE SET passed = excluded.passed, wall = excluded.wall',
    );
  }

  /** Of what was written down twice. Where nothing tells which is right, the less: what is kept longer does no harm. */
  #believed(now: Stood | null, copy: Stood | null, seal: number | undefined): Stood | null {
    if (now === null || copy === null || seal === undefined || sealOf(now, this.#jumpedMs) === seal) return now;
    const isCopyWhole = sealOf(copy, this.#jumpedMs) === seal;
    this.#tell(
      'The time that has passed, as it was written down for the retention, is damaged, or an older Sluice wrote it; ' +
        (isCopyWhole ? 'its copy is taken' : 'the less of it is taken, and what is old may be kept longer'),
    );
    return isCopyWhole ? copy : { passed: Math.max(0, Math.min(now.passed, copy.passed)), wall: now.wall };
  }

  /** ms that have passed since the data folder was made, as of the moment. */
  at({ epochMs, monotonicMs }: Moment): number {
    const ranMs = Math.max(0, monotonicMs - (this.#lastMs ?? monotonicMs));
    this.#lastMs = Math.max(this.#lastMs ?? monotonicMs, monotonicMs);
    this.#passedMs += ranMs;
    const expectedMs = (this.#wallMs ?? epochMs) + ranMs;
    this.#wallMs = this.#step(epochMs - expectedMs) ? epochMs : expectedMs;
    return Math.floor(this.#passedMs);
  }

  /** The wall clock is so far ahead of what is expected. Returns whether it is believed from now on. */
  #step(aheadMs: number): boolean {
    if (Math.abs(aheadMs) > PLAUSIBLE_MS) {
      this.#jumpedMs += aheadMs;
      this.#tellJump(aheadMs);
      return true;
    }
    // A small step back is waited for: what it goes ahead again has passed before.
    if (aheadMs <= 0) return false;
    // So has what it goes ahead after a large one.
    const again = Math.min(aheadMs, Math.max(0, -this.#jumpedMs));
    this.#jumpedMs += again;
    this.#passedMs += aheadMs - again;
    return true;
  }

  get isToBeKept(): boolean {
    return this.#passedMs - this.#keptMs >= KEPT_EVERY_MS;
  }

  /** Writes it down, in the transaction of whoever calls. */
  keep(): void {
    const now: Stood = { passed: Math.floor(this.#passedMs), wall: Math.floor(this.#wallMs ?? 0) };
    const jumpedMs = Math.floor(this.#jumpedMs);
    for (const id of [NOW_ROW, COPY_ROW]) this.#keep.run(id, now.passed, now.wall);
    this.#keep.run(JUMPED_ROW, jumpedMs, 0);
    this.#keep.run(SEAL_ROW, sealOf(now, jumpedMs), 0);
    this.#keptMs = this.#passedMs;
  }

  #tellJump(aheadMs: number): void {
    const hours = Math.round(Math.abs(aheadMs) / 3_600_000);
    this.#tell(
      `The wall clock is ${hours} hours ${aheadMs > 0 ? 'ahead of' : 'behind'} what it showed before; nothing is ` +
        'deleted by that. Check the clock of this machine',
    );
  }
}
