// The wall clock of a process of Sluice, which can jump while it runs: libfaketime adds to it what a file says. The
// monotonic clock and the times of files stay true, as they do where an operator or an NTP daemon sets a machine's
// clock.

import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export class Clock {
  /** Why it cannot jump; null if it can. */
  readonly whyNot: string | null;
  readonly #library: string | null = libraryPath();
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
    this.whyNot = this.#library === null ? 'there is no libfaketime (Debian: libfaketime)' : null;
    this.jump(0);
  }

  /** What runs a command under this clock, to be put before it. */
  get wrapper(): readonly string[] {
    if (this.#library === null) return [];
    return [
      'env',
      `LD_PRELOAD=${this.#library}`,
      `FAKETIME_TIMESTAMP_FILE=${this.#file}`,
      'FAKETIME_CACHE_DURATION=1',
      'FAKETIME_DONT_FAKE_MONOTONIC=1',
      'FAKETIME_DISABLE_SHM=1',
      'NO_FAKE_STAT=1',
    ];
  }

  /** So far from the true time, within a second. */
  jump(byMs: number): void {
    // It is read at any moment: never half of it.
    writeFileSync(`${this.#file}.new`, `${byMs < 0 ? '-' : '+'}${Math.abs(byMs) / 1000}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function libraryPath(): string | null {
  for (const folder of readdirSync('/usr/lib', { withFileTypes: true })) {
    const file = join('/usr/lib', folder.name, 'faketime/libfaketimeMT.so.1');
    if (folder.isDirectory() && existsSync(file)) return file;
  }
  return null;
}
