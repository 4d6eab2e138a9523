// The input of files: collects what `collect.files` asks for, until it is closed. Folders that the system tells of are
// walked when something has another name; all are walked again and again, for what nobody tells of.
//
//   file-walk → file-collector → followed-file, whole-file → delivery → intake/intake
//               └ checkpoints (SQLite), folder-watches (inotify), reading-turns

import { join } from 'node:path';
import type { Clock } from '#shared/clock.ts';
import type { Intake, Room } from '../intake/chunk.ts';
import { Checkpoints } from './checkpoints/checkpoints.ts';
import { FileImports, type ImportedFile, type ImportRequest, type ImportWatch } from './imports/file-imports.ts';
import { FileCollector } from './files/file-collector.ts';
import type { SourceRule } from './sources/source-form.ts';
import type { WalkLimits } from './walk/limits.ts';
import type { FileFigures, FileTelemetry } from './files/telemetry.ts';

export interface FilesInputOptions {
  readonly rules: readonly SourceRule[];
  readonly host: string;
  /** Whether the system is to tell what happens to files. */
  readonly watches: boolean;
  /** Of all data of the process. */
  readonly dataDir: string;
  readonly intake: Intake;
  readonly room: Room;
  /** Of this process, for files that are followed. */
  readonly openFilesMax: number;
  /** Where they are not the usual ones. */
  readonly walkLimits?: Partial<WalkLimits>;
  readonly clock: Clock;
  readonly newTelemetry: (figures: () => FileFigures) => FileTelemetry;
}

const TICK_MS = 1000;
/** So that a folder that is full of new names is walked once for many of them. */
const SOON_MS = 50;
/** Walks that something asks for take no more than one part in so many: whoever renames a file asks for one. */
const SOON_RATIO = 4;
/** Walks over all files take no more than one part in so many of the time. */
const PAUSE_RATIO = 20;
const WALK_EACH_MS = 1000;

const NO_FIGURES: FileFigures = {
  sources: 0,
  open: 0,
  waiting: 0,
  unreadBytes: 0,
  unreadBytesMax: 0,
  unreadSeconds: 0,
};

/** From the beginning of a walk over all files to the next. `waiting`: files that wait for a place to be opened. */
export function walkEachMs(tookMs: number, waiting: number): number {
  // What is quiet for a second gives way: each walk opens as many as there are places.
  return Math.max(WALK_EACH_MS, (waiting > 0 ? SOON_RATIO : PAUSE_RATIO) * tookMs);
}

export class FilesInput {
  readonly #options: FilesInputOptions;
  readonly #telemetry: FileTelemetry;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #collector: FileCollector | null = null;
  readonly #imports = Promise.withResolvers<FileImports>();
  readonly #checkpoints = Promise.withResolvers<Checkpoints>();
  #wake: (() => void) | null = null;
  #isWalkWanted = false;
  #tickedMs = 0;

  constructor(options: FilesInputOptions) {
    this.#options = options;
    this.#telemetry = options.newTelemetry(() => this.figures);
    this.#running = this.#run();
    // Who closes it hears of its failure, and who imports.
    this.#running.catch(() => undefined);
    this.#imports.promise.catch(() => undefined);
    this.#checkpoints.promise.catch(() => undefined);
  }

  /** Why nothing is collected; null while all is well. */
  unreadyReason: string | null = null;

  get figures(): FileFigures {
    const collector = this.#collector;
    return collector === null ? NO_FIGURES : { ...collector.followed.figures(), sources: collector.generations.count };
  }

  /** For what else is collected; until it is closed. Rejects where they cannot be opened. */
  get checkpoints(): Promise<Checkpoints> {
    return this.#checkpoints.promise;
  }

  /** Reads files once, beside those that are collected. Rejects where nothing can be read; each file tells its own. */
  async import(request: ImportRequest, watching: ImportWatch): Promise<readonly ImportedFile[]> {
    const imports = await this.#imports.promise;
    return imports.run(request, watching);
  }

  /** Ends with the runs that intake was given: what it then does not hold is read again by the next process. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the collector of files is closed'));
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const { dataDir, clock } = this.#options;
    const telemetry = this.#telemetry;
    const folder = join(dataDir, 'collect');
    let checkpoints: Checkpoints;
    try {
      checkpoints = await Checkpoints.open({ folder, clock, signal, telemetry });
    } catch (error) {
      this.#imports.reject(error);
      this.#checkpoints.reject(error);
      if (signal.aborted) return;
      this.unreadyReason = `Cannot collect files: ${error instanceof Error ? error.message : String(error)}`;
      throw error;
    }
    await using _checkpoints = checkpoints;
    this.#checkpoints.resolve(checkpoints);
    const collector = new FileCollector({ ...this.#options, checkpoints, telemetry, signal }, () => this.#walkSoon());
    this.#collector = collector;
    const imports = new FileImports({ ...this.#options, collector, checkpoints, signal });
    this.#imports.resolve(imports);
    try {
      await this.#walks(collector, checkpoints);
    } finally {
      await imports.close();
      await collector.close();
      this.#collector = null;
    }
  }

  async #walks(collector: FileCollector, checkpoints: Checkpoints): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    let fullMs = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const beganMs = clock.monotonicMs();
      const isFull = beganMs >= fullMs;
      this.#isWalkWanted = false;
      // Where only imports are wanted, what is known of other files stays as it is.
      if (this.#options.rules.length > 0) await collector.walk(isFull);
      if (isFull) await collector.deciding.run(() => Promise.resolve(this.#forgetGone(collector, checkpoints)));
      if (isFull && fullMs === Number.NEGATIVE_INFINITY) this.#started(collector);
      const tookMs = clock.monotonicMs() - beganMs;
      if (isFull) fullMs = beganMs + walkEachMs(tookMs, collector.followed.waiting);
      await this.#rest(collector, clock.monotonicMs() + Math.max(SOON_MS, SOON_RATIO * tookMs), fullMs);
    }
  }

  /** That there are no containers yet is nobody's mistake. */
  #started({ followed, walker }: FileCollector): void {
    for (const { include, form } of walker.unmatched) if (form === undefined) this.#telemetry.noFiles(include);
    this.#telemetry.started(followed.count);
  }

  /** Whoever wants a walk does not shorten the rest from the last one. */
  async #rest(collector: FileCollector, restedMs: number, fullMs: number): Promise<void> {
    const { clock } = this.#options;
    while (!this.#closing.signal.aborted) {
      const untilMs = this.#isWalkWanted ? restedMs : Math.max(restedMs, fullMs);
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0) return;
      await this.#pause(Math.min(TICK_MS, leftMs));
      this.#tick(collector);
    }
  }

  /** What is gone for long, or too much: in steps, one at each call. */
  #forgetGone({ rotated, claimed, walker }: FileCollector, checkpoints: Checkpoints): void {
    const held = new Set([...rotated.held(), ...claimed.values()]);
    const forgotten = checkpoints.generations.forget({
      nowMs: this.#options.clock.epochMs(),
      isHeld: (path) => held.has(path),
      isWalked: (path) => walker.covers(path),
    });
    if (forgotten > 0) this.#telemetry.forgotten(forgotten);
    checkpoints.schedule();
  }

  #tick(collector: FileCollector): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#tickedMs < TICK_MS) return;
    this.#tickedMs = nowMs;
    collector.followed.tick();
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _timer = this.#options.clock.timer(ms, resolve);
    if (this.#closing.signal.aborted) return;
    this.#wake = resolve;
    await promise;
    this.#wake = null;
  }

  #walkSoon(): void {
    if (this.#isWalkWanted) return;
    this.#isWalkWanted = true;
    this.#wake?.();
  }
}
