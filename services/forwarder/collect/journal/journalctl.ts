// journalctl as a child: what we ask it for, and what it says beside the journal. It is never run by a shell, has no
// environment of ours, and gets what the settings say behind an "=", so that nothing of it can be an option.
//
//   --merge    all boots: without it, `--follow` shows the last one alone (systemd 251 and newer)
//   --cursor   and not --after-cursor: where the entry is gone, that one passes over the next one too
//
// Guarantees: a child is killed and gone when it is disposed of; of its errors a few lines a minute are told, cut.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '#shared/clock.ts';
import type { JournalRule } from '#shared/config/settings/journal-rules.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { ComplaintRate, Complaints } from './complaints.ts';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin';
const LOOK_MS = 30_000;
const LOOK_BYTES_MAX = 64 * 1024;
const CURSOR = '__CURSOR=';

export interface JournalctlOptions {
  /** Its file, or its name. */
  readonly program: string;
  readonly rule: JournalRule;
  readonly clock: Clock;
  /** What it says of its own accord. */
  readonly complained: (line: string) => void;
  /** Ends all of them. */
  readonly signal: AbortSignal;
}

/** Where to begin: at the entry itself, behind it, or null: with the oldest one. */
export type Beginning = { readonly at: string } | { readonly behind: string } | null;

export class Journalctl {
  readonly #options: JournalctlOptions;
  readonly #rate: ComplaintRate;

  constructor(options: JournalctlOptions) {
    this.#options = options;
    this.#rate = new ComplaintRate(options);
  }

  /** All entries from there on, and those that are written from now on. */
  follow(beginning: Beginning): JournalProcess {
    return this.#start([...beginningOf(beginning), '--follow', '--no-tail']);
  }

  /** The cursors of the first entries from there on, at most `count`. Rejects where journalctl fails. */
  first(beginning: Beginning, count: number): Promise<string[]> {
    return this.#look([...beginningOf(beginning), '--quiet', '--output-fields=_BOOT_ID'], count);
  }

  /** The cursor of the newest entry; null where there is none. */
  async newest(): Promise<string | null> {
    const [cursor = null] = await this.#look(['--lines=1', '--quiet', '--output-fields=_BOOT_ID'], 1);
    return cursor;
  }

  async #look(args: readonly string[], count: number): Promise<string[]> {
    await using child = this.#start(args);
    using _limit = this.#options.clock.timer(LOOK_MS, () => child.kill('it does not answer'));
    let text = '';
    for await (const piece of child.output()) {
      text += piece.toString('latin1');
      if (cursorsOf(text).length >= count || text.length > LOOK_BYTES_MAX) break;
    }
    const cursors = cursorsOf(text).slice(0, count);
    if (cursors.length < count) {
      const why = await child.failure();
      if (why !== null) throw new SluiceError('journal_unreadable', `Cannot look into the journal: ${why}`);
    }
    return cursors;
  }

  #start(args: readonly string[]): JournalProcess {
    const { program, rule, signal } = this.#options;
    const complaints = new Complaints(this.#rate);
    return new JournalProcess(program, [...argumentsOf(rule), ...args], { complaints, signal });
  }
}

/** Whole lines only: what follows the last line feed may go on. */
function cursorsOf(text: string): string[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.filter((line) => line.startsWith(CURSOR)).map((line) => line.slice(CURSOR.length));
}

function beginningOf(beginning: Beginning): string[] {
  if (beginning === null) return [];
  return 'at' in beginning ? [`--cursor=${beginning.at}`] : [`--after-cursor=${beginning.behind}`];
}

function argumentsOf({ scope, directory, namespace }: JournalRule): string[] {
  return [
    '--output=export',
    '--all',
    '--merge',
    '--no-pager',
    ...(scope === undefined ? [] : [`--${scope}`]),
    ...(directory === undefined ? [] : [`--directory=${directory}`]),
    ...(namespace === undefined ? [] : [`--namespace=${namespace}`]),
  ];
}

interface ChildOptions {
  readonly complaints: Complaints;
  readonly signal: AbortSignal;
}

export class JournalProcess implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #signal: AbortSignal;
  readonly #end = (): void => this.kill('Sluice ends');
  readonly #over = Promise.withResolvers<void>();
  #why: string | null = null;
  /** There is no such program. */
  isMissing = false;

  constructor(program: string, args: readonly string[], { complaints, signal }: ChildOptions) {
    this.#signal = signal;
    const env = { PATH, LC_ALL: 'C', SYSTEMD_COLORS: '0' };
    this.#child = spawn(program, args, { cwd: '/', env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.once('error', (error: NodeJS.ErrnoException) => {
      this.isMissing = error.code === 'ENOENT';
      this.#why ??= this.isMissing ? `${program} is not installed` : error.message;
      if (this.#child.pid === undefined) this.#over.resolve();
    });
    this.#child.once('close', (code, signal) => {
      complaints.end();
      if (code !== 0) this.#why ??= complaints.last ?? `it ended with ${signal ?? `code ${code}`}`;
      this.#over.resolve();
    });
    this.#child.stderr.on('data', (bytes: Buffer) => complaints.take(bytes));
    this.#child.stderr.on('error', () => undefined);
    // Who reads it has it, too.
    this.#child.stdout.on('error', () => undefined);
    signal.addEventListener('abort', this.#end);
    if (signal.aborted) this.#end();
  }

  /** What it prints, until it ends or is killed. Read no faster than we take it: it waits. */
  async *output(): AsyncGenerator<Buffer> {
    try {
      yield* this.#child.stdout as AsyncIterable<Buffer>;
    } catch (error) {
      // What was killed ends early.
      this.#why ??= reasonOf(error);
    }
  }

  kill(why: string): void {
    this.#why ??= why;
    this.#kill();
  }

  /** When it is over: why it failed, in one line; null where it ended well. */
  async failure(): Promise<string | null> {
    await this.#over.promise;
    return this.#why;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#end);
    this.#kill();
    await this.#over.promise;
  }

  /** With all that it has started: its group is its own. */
  #kill(): void {
    const { pid, exitCode, signalCode, stdout, stderr } = this.#child;
    try {
      if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
    stdout.destroy();
    stderr.destroy();
  }
}
