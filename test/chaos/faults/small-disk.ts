// A folder on a small disk of its own, a tmpfs, that can be filled up. It is mounted in the mount namespace of this run
// alone (main.ts), so it goes with the run's last process. Whoever may not mount gets a plain folder, which is not
// filled.

import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const mountBytes = 64 * 1024 * 1024;

export class SmallDisk implements Disposable {
  readonly folder: string;
  /** Why it is not a disk of its own; null if it is. */
  readonly whyNot: string | null;

  constructor(folder: string, mayMount: boolean) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    this.whyNot = mayMount ? mount(folder) : 'only root may mount one';
  }

  /** Takes what is free. */
  fill(): void {
    if (this.whyNot !== null) return;
    const file = openSync(this.#filler, 'a');
    try {
      // Halving blocks, down to single bytes: nothing is left.
      for (let block = Buffer.alloc(1024 * 1024); block.length > 0; block = block.subarray(0, block.length >> 1)) {
        while (tryWrite(file, block));
      }
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(this.#filler, { force: true });
  }

  get #filler(): string {
    return join(this.folder, 'filler');
  }

  [Symbol.dispose](): void {
    this.free();
    if (this.whyNot === null) spawnSync('umount', ['--lazy', this.folder]);
  }
}

/** Null, or why it could not be mounted. */
function mount(folder: string): string | null {
  const options = ['-t', 'tmpfs', '-o', `size=${mountBytes}`, 'sluice-chaos', folder];
  const { status, stderr } = spawnSync('mount', options, { encoding: 'utf8' });
  return status === 0 ? null : stderr.trim() || 'there is no `mount`';
}

function tryWrite(file: number, block: Buffer): boolean {
  try {
    return writeSync(file, block) > 0;
  } catch {
    return false;
  }
}
