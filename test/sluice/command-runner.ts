// Runs a command as the command line does, against an embedded store in a folder of its own, and keeps what it writes.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/config/settings.ts';
import { openStore } from '#shared/open/open-store.ts';
import type { Store } from '#shared/store/store.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';
import type { CommandContext } from '../../services/sluice/process/command.ts';

type Run = (args: string[], context: CommandContext) => Promise<number>;

/** Keeps what is written; may be a terminal, and may be left by its reader. */
export class Page extends Writable {
  readonly isTTY: boolean;
  text = '';
  #left = false;
  #watchers: { readonly done: () => boolean; readonly resolve: () => void }[] = [];

  constructor(isTTY = false) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
  }

  override _write(chunk: string, _encoding: string, callback: (error?: Error) => void): void {
    if (this.#left) return callback(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    this.text += chunk;
    for (const { done, resolve } of this.#watchers) if (done()) resolve();
    return callback();
  }

  /** From now on a write fails as one to a closed pipe does. */
  leave(): void {
    this.#left = true;
  }

  /** Resolves as soon as what was written contains `text`. */
  async shows(text: string): Promise<void> {
    if (this.text.includes(text)) return;
    await new Promise<void>((resolve) => this.#watchers.push({ done: () => this.text.includes(text), resolve }));
  }
}

export class CommandRunner implements AsyncDisposable {
  readonly config: Config;
  readonly store: Store;
  readonly #folder: string;
  #lastBatch = 0;

  private constructor(folder: string, config: Config, store: Store) {
    this.#folder = folder;
    this.config = config;
    this.store = store;
  }

  static async open(env: Readonly<Record<string, string>> = {}): Promise<CommandRunner> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-command-'));
    const config = loadConfig({ env: { SLUICE_DATA_DIR: folder, ...env }, file: undefined, readFile: () => '' });
    return new CommandRunner(folder, config, await openStore(config));
  }

  /** Writes documents; `ingestedMs` is what they have as `event.ingested`. */
  async write(documents: readonly Record<string, unknown>[], ingestedMs = Date.now()): Promise<void> {
    const batch = ++this.#lastBatch;
    const event = (sequence: number) => ({ ingested: new Date(ingestedMs).toISOString(), sequence });
    await this.store.bulk(
      bulkRequest(
        documents.map((document, i) => ({
          id: testId(batch, i),
          index: 'logs-sluice-default',
          document: { '@timestamp': new Date(ingestedMs).toISOString(), event: event(batch * 1000 + i), ...document },
        })),
      ),
    );
  }

  /** Starts a command; `exit` resolves with its code. */
  start(run: Run, args: string[], { isTTY = false } = {}) {
    const stdout = new Page(isTTY);
    const stderr = new Page(isTTY);
    const stop = new AbortController();
    const exit = run(args, { config: this.config, stdout, stderr, signal: stop.signal, clock: systemClock });
    return { stdout, stderr, exit, stop: () => stop.abort('SIGTERM') };
  }

  /** Runs a command to its end. */
  async run(
    run: Run,
    args: string[],
    options: { isTTY?: boolean } = {},
  ): Promise<{ code: number; stdout: string; stderr: string }> {
    const { stdout, stderr, exit } = this.start(run, args, options);
    return { code: await exit, stdout: stdout.text, stderr: stderr.text };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true });
  }
}
