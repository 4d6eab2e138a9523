// Tries out records in a child process (opening-child.ts), one after another in the same one, as long as none of them
// ends it.
//
// Guarantees: a record is blamed only when it has ended two children, the second of which had opened nothing before it.
// What ends a child once may be somebody else's doing, or be left over from the records before. Where no child can be
// started, or one is killed before it has taken much memory, no record is blamed: it is reported, and tried again. A
// child that nobody needs is ended after a while.

import type { ChildProcess } from 'node:child_process';
import { backoffMs } from '#shared/backoff.ts';
import { startChild } from '#shared/child-process.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import type { OpeningLimits } from './messages.ts';
import type { OpeningOptions } from './record-trial.ts';
import type { RecordOpener, OpeningResult } from './opener.ts';
import { type Asked, OpeningProcess } from './opening-process.ts';

const IDLE_MS = 10_000;
const BACKOFF = { baseMs: 500, capMs: 30_000 };
/** Children that a record may end. */
const CHILDREN_MAX = 2;

export interface ChildOpenerOptions {
  readonly opening: OpeningOptions;
  /** Of a child that is started now. */
  readonly limits: (hasFailed: boolean) => OpeningLimits;
  readonly clock: Clock;
  readonly random: () => number;
  readonly telemetry: { openingChildFailed(error: unknown): void };
  /** Another child than ours. */
  readonly start?: () => ChildProcess;
}

export class ChildOpener implements RecordOpener {
  unhealthyReason: string | null = null;
  readonly #options: ChildOpenerOptions;
  #child: OpeningProcess | null = null;
  #idle: Disposable | null = null;
  /** What its limits are made for. */
  #hasFailed = false;
  /** Of the child that runs. */
  #growthBytes = 0;

  constructor(options: ChildOpenerOptions) {
    this.#options = options;
  }

  async open(record: FetchedRecord, signal: AbortSignal, hasFailed = false): Promise<OpeningResult> {
    this.#idle?.[Symbol.dispose]();
    const { limits } = this.#options;
    // Where its limits are those of the other kind too, a child serves both.
    if (hasFailed !== this.#hasFailed && limits(hasFailed).growthBytes !== this.#growthBytes) this.#end();
    this.#hasFailed = hasFailed;
    const abort = (): void => this.#end();
    signal.addEventListener('abort', abort, { once: true });
    try {
      let ended = 0;
      for (let killed = 0; ;) {
        const asked = await (await this.#started(signal)).open(record);
        signal.throwIfAborted();
        if (asked === 'well') return { kind: 'well' };
        this.#end();
        if (asked.harm === 'killed') await this.#pause(asked.what, killed++, signal);
        else if (++ended === CHILDREN_MAX) return resultOf(asked);
      }
    } finally {
      signal.removeEventListener('abort', abort);
      this.#idle = this.#options.clock.timer(IDLE_MS, () => this.#end());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#idle?.[Symbol.dispose]();
    this.#end();
  }

  /** A child that is ready, however long it takes. */
  async #started(signal: AbortSignal): Promise<OpeningProcess> {
    const { clock, opening, limits, start = startOwn } = this.#options;
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      if (this.#child?.isAlive) return this.#child;
      try {
        const limitsNow = limits(this.#hasFailed);
        this.#growthBytes = limitsNow.growthBytes;
        this.#child = new OpeningProcess(start(), clock, limitsNow);
        await this.#child.start(opening);
        this.unhealthyReason = null;
        return this.#child;
      } catch (error) {
        signal.throwIfAborted();
        this.#end();
        await this.#pause(error, attempt, signal);
      }
    }
  }

  /** No child can be had, or none that lives: the machine has no memory for it, say. */
  async #pause(why: unknown, attempt: number, signal: AbortSignal): Promise<void> {
    const { clock, random, telemetry } = this.#options;
    const reason = reasonOf(why);
    this.unhealthyReason = `records that may have ended an indexer wait, for no child process can be started to open them: ${reason}`;
    telemetry.openingChildFailed(why);
    await clock.sleep(backoffMs(attempt, BACKOFF, random), signal);
  }

  #end(): void {
    this.#child?.kill();
    this.#child = null;
  }
}

function startOwn(): ChildProcess {
  return startChild('opening-child', import.meta.url);
}

function resultOf({ harm, what, progress }: Exclude<Asked, 'well' | { harm: 'killed' }>): OpeningResult {
  const doing = progress === null ? '' : ` while ${progress.doing}`;
  return { kind: 'poison', harm, what: `${what}${doing}`, events: Math.max(1, progress?.events ?? 1) };
}
