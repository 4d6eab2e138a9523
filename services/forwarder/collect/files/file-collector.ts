// Follows the files that the rules ask for: finds them, knows them again, has them read in turns, and lets go of those
// that are gone.
//
//   walk ─► known by identity ─► followed from its place
//        ─► unknown, under a name of rotation ─► rotated-files.ts: a copy of what is known, or new
//        ─► unknown ─► the next generation of its source
//   truncated while it is followed ─► the next generation, in the same descriptor
//
// Guarantees: no line is given before the number of its generation is saved; two files never have the same one.

import { reasonOf } from '#shared/errors.ts';
import { Exclusive } from '#shared/exclusive.ts';
import { compressionOf } from '../../decode/files/source-path.ts';
import { Delivery } from '../sources/delivery.ts';
import { FileWalker } from '../walk/file-walk.ts';
import { folderOf } from '../walk/found-path.ts';
import { FolderWatches, hasTrueTimes } from './folder-watches.ts';
import { FollowedFile } from './followed-file.ts';
import type { FollowOptions } from '../sources/follow-options.ts';
import { FollowedFiles } from './followed-files.ts';
import { type FoundFile, foundFiles, inOrder } from './found-files.ts';
import { type Generation, type Generations, unreadBytesOf } from '../checkpoints/generations.ts';
import { ReadingTurns } from '../turns/reading-turns.ts';
import { RotatedFiles } from './rotated-files.ts';
import { SourceBudgets } from '../sources/source-budgets.ts';
import { factsOf } from '../sources/source-form.ts';
import type { FileCollectorOptions } from './collector-options.ts';
import { Steps } from '../walk/steps.ts';

const SAVE_RETRY_MS = 1000;

export class FileCollector {
  readonly followed: FollowedFiles;
  readonly #options: FileCollectorOptions;
  readonly generations: Generations;
  readonly walker: FileWalker;
  readonly #turns: ReadingTurns;
  readonly #delivery: Delivery;
  readonly #watches: FolderWatches;
  readonly rotated: RotatedFiles;
  readonly #budgets: SourceBudgets;
  /** Paths that have to be looked at by the next walk, beside those that are new. */
  readonly #renamed = new Set<string>();
  /** Found, and not followed yet: their generations are being saved. */
  #starting: FollowedFile[] = [];
  #isFirstWalk = true;
  readonly deciding = new Exclusive();
  /** Identities of files that only an import reads, and their sources. */
  readonly claimed = new Map<string, string>();
  readonly #walkSoon: () => void;

  constructor(options: FileCollectorOptions, walkSoon: () => void) {
    this.#walkSoon = walkSoon;
    this.#options = options;
    this.generations = options.checkpoints.generations;
    this.walker = new FileWalker(options.rules, {
      limits: options.walkLimits ?? {},
      known: () => this.generations.present(),
    });
    this.#turns = new ReadingTurns(options);
    this.#delivery = new Delivery(options);
    this.#budgets = new SourceBudgets(options);
    this.#watches = new FolderWatches({
      written: (path) => {
        const file = this.followed.at(path);
        if (file) this.#turns.wake(file);
        else if (this.followed.isKnown(path)) {
          this.#renamed.add(path);
          walkSoon();
        }
      },
      named: (folder, path) => {
        if (path !== null) this.#renamed.add(path);
        else for (const known of this.followed.pathsIn(folder)) this.#renamed.add(known);
        walkSoon();
      },
      flooded: (folder) => options.telemetry.eventsFlood(folder),
    });
    this.followed = new FollowedFiles({
      clock: options.clock,
      openMax: options.openFilesMax,
      turns: this.#turns,
      isWatched: (folder) => this.#watches.isWatched(folder),
    });
    this.rotated = new RotatedFiles({
      ...options,
      turns: this.#turns,
      follow: (found, generation) => this.#follow(found, generation),
      addGeneration: (found) => this.#newGeneration(found),
      factsOf: (found) => this.#factsOf(found),
      isLive: (identity) => {
        const file = this.reading(identity)?.followed ?? null;
        return file === null ? this.followed.isParked(identity) : file.path === file.generation.source.path;
      },
      walkSoon,
    });
  }

  /** `isFull`: looks at every file, not only at those that were told of. */
  walk(isFull: boolean): Promise<void> {
    return this.deciding.run(() => this.#walk(isFull));
  }

  /** Whether the file is being read, or will be; `followed` where that is to its end and on. */
  reading(identity: string): { readonly followed: FollowedFile | null } | null {
    const followed =
      this.followed.of(identity) ?? this.#starting.find(({ generation }) => generation.identity === identity);
    if (followed !== undefined) return { followed };
    return this.rotated.isReading(identity) ? { followed: null } : null;
  }

  async #walk(isFull: boolean): Promise<void> {
    if (isFull) this.rotated.beginWalk();
    const walk = await this.walker.walk();
    if (this.#options.signal.aborted) return;
    for (const folder of walk.overfull) this.#options.telemetry.overfull(folder);
    const added = this.#watches.watch(this.#options.watches ? walk.folders : new Set());
    // What was made in a new folder before it was watched, nobody tells of.
    if (added.length > 0) this.#walkSoon();
    const lookedAt = new Set(this.#renamed);
    this.#renamed.clear();
    this.followed.keepPaths(walk.paths);
    const isDue = (path: string): boolean =>
      isFull || lookedAt.has(path) || !this.followed.isKnown(path) || added.length > 0;
    const isSource = (path: string): boolean => this.generations.sourceOf(path) !== null;
    const keptOf = (path: string): string => this.generations.sourceOf(path)?.facts ?? '';
    const found = await foundFiles(walk, { isDue, isSource, keptOf, telemetry: this.#options.telemetry });
    if (isFull) this.rotated.walked(found);
    const unknown: FoundFile[] = [];
    const steps = new Steps();
    for (const file of found.filter(({ facts }) => facts !== null)) {
      if (steps.isOver()) await steps.next();
      this.generations.giveFacts(file.base, file.facts ?? '');
      if (!(await this.#knownAgain(file)) && !this.#waitsForBytes(file)) unknown.push(file);
    }
    if (isFull) this.#detachGone(new Set(found.map(({ identity }) => identity)));
    const later = this.rotated.undecided(unknown, this.#isFirstWalk);
    for (const file of inOrder(unknown)) {
      if (steps.isOver()) await steps.next();
      if (later.has(file.base)) continue;
      if (this.generations.ofIdentity(file.identity) !== null && (await this.#knownAgain(file))) continue;
      if (file.base === file.path && compressionOf(file.path) === null) await this.#followNew(file);
      else if (this.rotated.hasRoom) await this.rotated.examine(file, this.#isFirstWalk);
      else later.add(file.base);
    }
    await this.#start();
    if (isFull) {
      this.rotated.countLosses();
      this.#isFirstWalk = later.size > 0 && this.#isFirstWalk;
    }
    this.#options.checkpoints.schedule();
  }

  async close(): Promise<void> {
    this.#watches[Symbol.dispose]();
    await this.#turns.ended();
    await Promise.all([this.followed.close(), this.rotated.close(), ...this.#starting.map((file) => file.close())]);
  }

  async #knownAgain(found: FoundFile): Promise<boolean> {
    const { path, identity, size } = found;
    if (this.claimed.has(identity)) return true;
    const followed = this.followed.of(identity);
    if (followed !== null) {
      this.followed.name(followed, path);
      if (size !== followed.generation.size) this.#turns.wake(followed);
      return true;
    }
    if (this.#starting.some(({ generation }) => generation.identity === identity)) return true;
    if (this.generations.isExamined(identity, size)) {
      this.followed.remember(path);
      return true;
    }
    if (compressionOf(path) !== null) return false;
    const generation = this.generations.ofIdentity(identity) ?? this.rotated.back(identity);
    if (generation === null) return false;
    const isRead = unreadBytesOf(generation) === 0 && size === generation.size && size > 0;
    if (isRead && (found.base !== path || this.followed.parks(found, generation))) this.followed.remember(path);
    else await this.#follow(found, generation);
    return true;
  }

  /** Of an empty file only its name is kept: so all that comes is new, also what is found when it was rotated. */
  #waitsForBytes({ path, base, size, facts }: FoundFile): boolean {
    if (size > 0 || base !== path) return false;
    this.generations.addSource(base, this.#options.clock.epochMs(), facts ?? '');
    this.followed.remember(path);
    return true;
  }

  async #followNew(found: FoundFile): Promise<void> {
    const isNew = this.generations.sourceOf(found.base) === null;
    const generation = this.#newGeneration(found);
    if (isNew && this.#isFirstWalk && found.rule.from === 'end') generation.skipEnd = found.size;
    await this.#follow(found, generation);
  }

  #newGeneration({ base, path, identity, facts }: FoundFile): Generation {
    const { clock, host } = this.#options;
    const source = this.generations.addSource(base, clock.epochMs(), facts ?? '');
    const generation = this.generations.add(source, identity, host);
    this.#options.telemetry.found('new', path, { source: base, generation: generation.number });
    return generation;
  }

  async #follow(found: FoundFile, generation: Generation): Promise<void> {
    const { path, identity } = found;
    // The next walk tries again.
    if (!this.followed.makeRoom(found, this.#starting.length)) return;
    try {
      let file = await FollowedFile.open(found, generation, this.#factsOf(found));
      if (file === 'lost') {
        this.rotated.lost(generation);
        file = await FollowedFile.open(found, this.#newGeneration(found), this.#factsOf(found));
        if (typeof file !== 'string' && !this.#isFirstWalk) file.unpaidEnd = found.size;
      }
      // The next walk finds both.
      if (typeof file === 'string') return this.#walkSoon();
      if (file.generation.identity !== identity) this.generations.attach(file.generation, identity);
      this.#starting.push(file);
      const { number, place } = file.generation;
      this.#options.telemetry.found('known', path, { generation: number, offset: place.offset, size: found.size });
    } catch (error) {
      this.#options.telemetry.readFailed(path, reasonOf(error));
    }
  }

  /** No line of a generation goes on before its number is saved. */
  async #start(): Promise<void> {
    if (this.#starting.length === 0) return;
    if (!(await this.#options.checkpoints.save())) return;
    for (const file of this.#starting.splice(0)) {
      file.isStarted = true;
      this.followed.add(file);
      this.#turns.wake(file);
    }
  }

  #factsOf({ path, base, rule }: FoundFile): FollowOptions<FollowedFile> {
    const { clock, checkpoints, telemetry, host } = this.#options;
    return {
      ...factsOf(this.generations.sourceOf(base) ?? { path: base, facts: '' }, rule, host),
      malformed: (file, lines) => telemetry.malformed(file, lines),
      delivery: this.#delivery,
      budget: this.#budgets.of(base, rule.max_bytes_per_second),
      hasTrueTimes: hasTrueTimes(folderOf(path)),
      nowMs: () => clock.monotonicMs(),
      save: () => checkpoints.save(),
      changed: (generation) => {
        this.generations.changed(generation);
        checkpoints.schedule();
      },
      failed: (file, error) => {
        telemetry.readFailed(file.path, reasonOf(error));
        this.followed.failed(file);
      },
      compared: (file, found) => telemetry.compared(file, found),
      replaced: (file) => this.#replaced(file),
    };
  }

  /** Truncated, or written anew: the next generation in the same file. */
  #replaced(file: FollowedFile): void {
    const { generation } = file;
    const { identity, source } = generation;
    this.#options.telemetry.truncated(file.path, file.unreadBytes);
    this.rotated.lost(generation);
    const next = file.restarted(this.generations.add(source, identity, this.#options.host));
    this.followed.replace(file, next);
    this.#walkSoon();
    void this.#startSaved(next);
  }

  async #startSaved(file: FollowedFile): Promise<void> {
    const { checkpoints, signal, clock } = this.#options;
    if (!(await checkpoints.save())) {
      if (!signal.aborted) clock.timer(SAVE_RETRY_MS, () => void this.#startSaved(file));
      return;
    }
    file.isStarted = true;
    this.#turns.wake(file);
  }

  #detachGone(present: ReadonlySet<string>): void {
    for (const { path: source, generations } of this.generations.sources) {
      for (const generation of generations) {
        const { identity } = generation;
        if (identity === '' || present.has(identity) || this.followed.of(identity) !== null) continue;
        // No walk finds what was only imported.
        if (this.claimed.has(identity) || !this.walker.covers(source)) continue;
        if (this.#starting.some((file) => file.generation === generation)) continue;
        this.rotated.missed(generation);
      }
    }
    const waiting = this.followed.walked(present);
    if (waiting > 0) this.#options.telemetry.filesWait(waiting);
    this.generations.keepExamined(present);
    this.rotated.keep(present);
  }
}
