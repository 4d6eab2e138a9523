// File systems of a test's own, to be filled up or made read-only. They need root; where none can be mounted it is
// null.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A file system of memory. `options`: `size=12m`, `ro`. */
export function tmpfs(t: TestContext, options: string): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-device-'));
  const isMounted = does('mount', '-t', 'tmpfs', '-o', options, 'tmpfs', folder);
  t.after(() => {
    if (isMounted) does('umount', '-l', folder);
    rmSync(folder, { recursive: true });
  });
  return isMounted ? folder : null;
}

export interface Disk {
  readonly folder: string;
  /** As the kernel does when the device fails: read-only at once, whoever has files open. */
  fail(): void;
  /** Takes the device out and in again. */
  repair(): void;
}

/** An ext4 of 64 MiB in a file. */
export function disk(t: TestContext): Disk | null {
  const place = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
  const image = join(place, 'image');
  const folder = join(place, 'disk');
  mkdirSync(folder);
  const mount = (): boolean => does('mount', '-o', 'loop', image, folder);
  const isMounted = does('truncate', '-s', '64M', image) && does('mkfs.ext4', '-q', image) && mount();
  t.after(() => {
    if (isMounted) does('umount', '-l', folder);
    rmSync(place, { recursive: true });
  });
  if (!isMounted) return null;
  return {
    folder,
    fail: () => run('mount', '-o', 'remount,abort', folder),
    repair() {
      run('umount', folder);
      if (!mount()) throw new Error('the disk cannot be mounted again');
    },
  };
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: 'ignore' });
}

function does(command: string, ...args: string[]): boolean {
  try {
    run(command, ...args);
    return true;
  } catch {
    return false;
  }
}
