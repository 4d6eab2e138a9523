// Runs a command as the command line does, against an embedded store in a folder of its own, and keeps what it writes.
// With READ_API in the environment the command finds no store in its folder: it asks the read API of a process that has
// that store, and its tests must not see a difference.

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

export const READ_API = 'SLUICE_TEST_READ_API';

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
  readonly #closing: AsyncDisposableStack;
  #lastBatch = 0;

  private constructor(config: Config, store: Store, closing: AsyncDisposableStack) {
    this.config = config;
    this.store = store;
    this.#closing = closing;
  }

  static async open(env: Readonly<Record<string, string>> = {}): Promise<CommandRunner> {
    const closing = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'sluice-command-'));
    closing.defer(() => rm(folder, { recursive: true }));
    const config = loadConfig({ env: { SLUICE_DATA_DIR: folder, ...env }, file: undefined, readFile: () => '' });
    const store = closing.use(await openStore(config));
    if (process.env[READ_API] === undefined) return new CommandRunner(config, store, closing);
    const { RunningApi } = await import('./read/running-api.ts');
    const api = closing.use(await RunningApi.open({ store, folder }));
    const elsewhere = { ...config, 'data.dir': join(folder, 'none'), 'read.url': `http://127.0.0.1:${api.port}` };
    return new CommandRunner(elsewhere, store, closing);
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing.disposeAsync();
  }
}
