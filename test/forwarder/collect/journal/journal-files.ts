// Real journal files, written by systemd-journal-remote from the export format, and what is needed to write and to read
// them. Each file has numbers of its own.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const REMOTE = ['/usr/lib/systemd', '/lib/systemd']
  .map((folder) => `${folder}/systemd-journal-remote`)
  .find((file) => existsSync(file));

/** Why it cannot be tested with journalctl itself; false where it can. */
export const noJournal: string | false =
  spawnSync('journalctl', ['--version']).status !== 0
    ? 'SKIPPED: no journalctl (Debian: systemd)'
    : REMOTE === undefined
      ? 'SKIPPED: no systemd-journal-remote (Debian: systemd-journal-remote)'
      : false;

export interface WrittenEntry {
  readonly n: number;
  readonly boot?: number;
  /** Text, or bytes of any kind. */
  readonly message?: string | Buffer;
  readonly fields?: Readonly<Record<string, string>>;
}

/** In 2023, each a millisecond after the one before. */
function exported({ n, boot = 7, message = `line ${n}`, fields = {} }: WrittenEntry): Buffer {
  const head = { __REALTIME_TIMESTAMP: 1_700_000_000_000_000 + n * 1000, __MONOTONIC_TIMESTAMP: n * 1000 };
  const text = { ...head, _BOOT_ID: String(boot).padStart(32, '0'), PRIORITY: '6', ...fields };
  const lines = Object.entries(text).map(([name, value]) => `${name}=${value}\n`);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(Buffer.byteLength(message)));
  return Buffer.concat([Buffer.from(`${lines.join('')}MESSAGE\n`), size, Buffer.from(message), Buffer.from('\n\n')]);
}

export function entries(from: number, to: number, more: Omit<WrittenEntry, 'n'> = {}): WrittenEntry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => ({ n: from + i, ...more }));
}

/** Adds them to a file of the folder. */
export function writeJournal(folder: string, file: string, written: readonly WrittenEntry[]): void {
  execFileSync(String(REMOTE), ['-o', join(folder, file), '-'], {
    input: Buffer.concat(written.map(exported)),
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}

/** Somebody who goes on writing. */
export class JournalWriter implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor(folder: string, file: string) {
    this.#child = spawn(String(REMOTE), ['-o', join(folder, file), '-'], { stdio: ['pipe', 'ignore', 'ignore'] });
  }

  write(written: readonly WrittenEntry[]): void {
    this.#child.stdin?.write(Buffer.concat(written.map(exported)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const isOver = once(this.#child, 'close');
    this.#child.stdin?.end();
    await isOver;
  }
}
