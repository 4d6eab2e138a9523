// systemd-journald itself, with a /run of its own in its own mount namespace: so it needs no systemd, and leaves the
// machine's journal alone. Needs root.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { noJournal } from './journal-files.ts';

const PROGRAM = ['/usr/lib/systemd', '/lib/systemd']
  .map((folder) => `${folder}/systemd-journald`)
  .find((file) => existsSync(file));

const SETUP = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log
mount --bind "$1" /run/systemd/journal
mount --bind "$2" /run/log
if [ ! -s /etc/machine-id ]; then
  echo 0123456789abcdef0123456789abcdef > /run/id
  mount --bind /run/id /etc/machine-id
fi
exec "$3"`;

/** Why it cannot be run; false where it can. */
export const noJournald: string | false =
  noJournal !== false
    ? noJournal
    : PROGRAM === undefined
      ? 'SKIPPED: no systemd-journald (Debian: systemd)'
      : spawnSync('logger', ['--version']).status !== 0
        ? 'SKIPPED: no logger (Debian: bsdutils)'
        : spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/run']).status !== 0
          ? 'SKIPPED: mounts need root'
          : false;

export class Journald implements AsyncDisposable {
  /** What journalctl --directory gets. */
  readonly journals: string;
  readonly #run: string;
  readonly #log: string;
  #child: ChildProcess | null = null;

  constructor(folder: string) {
    this.#run = join(folder, 'run');
    this.#log = join(folder, 'log');
    this.journals = join(this.#log, 'journal');
    mkdirSync(this.#run, { recursive: true });
    mkdirSync(this.#log, { recursive: true });
  }

  async start(): Promise<void> {
    const args = ['-m', 'sh', '-c', SETUP, 'sh', this.#run, this.#log, String(PROGRAM)];
    this.#child = spawn('unshare', args, { stdio: 'ignore' });
    while (!existsSync(this.#socket) || this.files().length === 0) await delay(5);
    // It has read what the kernel says, too.
    this.write(['ready']);
    await this.hasWritten('ready');
  }

  /** Returns when journald has the lines, or will have. */
  write(lines: readonly string[]): void {
    execFileSync('logger', ['--socket', this.#socket, '--tag', 'app'], { input: lines.join('\n') });
  }

  get #socket(): string {
    return join(this.#run, 'dev-log');
  }

  async hasWritten(line: string): Promise<void> {
    const newest = ['--directory', this.journals, '--lines=1', '--output=cat', '--quiet'];
    while (spawnSync('journalctl', newest, { encoding: 'utf8' }).stdout.trim() !== line) await delay(20);
  }

  /** Paths of its files, those that are rotated first. */
  files(): string[] {
    if (!existsSync(this.journals)) return [];
    const names = readdirSync(this.journals, { recursive: true, encoding: 'utf8' });
    return names
      .filter((name) => /\.journal~?$/.test(name))
      .map((name) => join(this.journals, name))
      .toSorted((a, b) => Number(b.includes('@')) - Number(a.includes('@')) || a.localeCompare(b));
  }

  /** What the entries of one of its files say. */
  messagesOf(file: string): string[] {
    const printed = execFileSync('journalctl', ['--file', file, '--output=json', '--quiet'], { encoding: 'utf8' });
    return printed
      .trimEnd()
      .split('\n')
      .map((line) => String((JSON.parse(line) as { MESSAGE: unknown }).MESSAGE));
  }

  /** What was written becomes a file of its own. */
  async rotate(): Promise<void> {
    const count = this.files().length;
    this.#child?.kill('SIGUSR2');
    while (this.files().length <= count) await delay(5);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child === null) return;
    const isOver = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    await isOver;
  }
}
