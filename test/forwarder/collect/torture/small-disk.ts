// A disk of its own for the collector's data, which can be filled to the last byte: a tmpfs. Where nobody may mount
// one, it is a folder that is never full.

import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';

const DISK_BYTES = 32 * 1024 * 1024;
const PIECE = Buffer.alloc(64 * 1024, 1);

export class SmallDisk implements Disposable {
  readonly path: string;
  /** Whether it is one. */
  readonly isMounted: boolean;
  isFull = false;

  constructor(path: string) {
    this.path = path;
    fs.mkdirSync(path, { recursive: true });
    this.isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', path]).status === 0;
  }

  fill(): void {
    if (!this.isMounted) return;
    this.isFull = true;
    const file = fs.openSync(this.#filler, 'w');
    try {
      for (let bytes = PIECE.length; bytes > 0; bytes = Math.floor(bytes / 2)) {
        // A smaller piece may fit where this one does not.
        while (fits(file, PIECE.subarray(0, bytes)));
      }
    } finally {
      fs.closeSync(file);
    }
  }

  free(): void {
    this.isFull = false;
    fs.rmSync(this.#filler, { force: true });
  }

  [Symbol.dispose](): void {
    if (this.isMounted) spawnSync('umount', ['--lazy', this.path]);
  }

  get #filler(): string {
    return join(this.path, 'filler');
  }
}

function fits(file: number, bytes: Buffer): boolean {
  try {
    return fs.writeSync(file, bytes) === bytes.length;
  } catch {
    return false;
  }
}
