// Finds the files that the rules ask for, and what rotation may have made of them: other files of the same folders,
// whose names show it. Folders are listed once a walk, however many patterns lead there.
//
// Guarantees: whoever may write to a folder can fill it with names; so they are read and gone through in steps, between
// which others have a turn, and only so many of a folder, and files of all folders, are looked at. Of these, every rule
// has a share that the trees of other rules cannot take, and so has every tree of a rule. Where not all is looked at,
// folders in which files are known come first, and known files that are not come upon are asked for by their names: so
// none is taken for gone that is there.

import { dirname } from 'node:path';
import { pathsBeforeRotation } from '../../decode/files/source-path.ts';
import { roundRobin } from '../sources/round-robin.ts';
import type { SourceRule } from '../sources/source-form.ts';
import { folderOf, type FoundPath, type FullWalk, type Walk } from './found-path.ts';
import { bytesOfNames, LIMITS, NOTHING, shareOf, type WalkLimits } from './limits.ts';
import { Listings } from './listings.ts';
import { Patterns } from './patterns.ts';
import { Steps } from './steps.ts';
import { visit, visitKnown } from './tree-visit.ts';
import { isBehindLink, isFile } from './what-is-there.ts';

/** As many are asked for at once. */
const STATS_AT_ONCE = 32;

export interface WalkOptions {
  readonly limits?: Partial<WalkLimits>;
  /** Paths that were asked for, and may be there. */
  readonly known?: () => Iterable<string>;
}

export class FileWalker {
  readonly #rules: readonly Patterns[];
  /** What the last walk found: names are gone through once. */
  #last: ReadonlyMap<string, FoundPath> = new Map();
  /** Whether it did not look at all. */
  #wasFull = false;
  readonly #limits: WalkLimits;
  readonly #known: () => Iterable<string>;

  constructor(rules: readonly SourceRule[], { limits = {}, known = () => [] }: WalkOptions = {}) {
    this.#limits = { ...LIMITS, ...limits };
    this.#known = known;
    this.#rules = rules.map((rule) => new Patterns(rule));
  }

  /** Whether a rule asks for the path. */
  covers(path: string): boolean {
    return this.#rules.some((rule) => rule.covers(path));
  }

  /** Those for which the last walk found nothing. */
  get unmatched(): readonly SourceRule[] {
    const matched = new Set([...this.#last.values()].map(({ rule }) => rule));
    return this.#rules.map(({ rule }) => rule).filter((rule) => !matched.has(rule));
  }

  async walk(): Promise<Walk> {
    const listings = new Listings();
    const steps = new Steps();
    let known = this.#wasFull ? await this.#knownPaths(steps) : null;
    let walk = await this.#pass(listings, steps, known);
    if (walk.overfull.size > 0) {
      if (known === null) {
        known = await this.#knownPaths(steps);
        if (known.size > 0) walk = await this.#pass(listings, steps, known);
      }
      await this.#keep(known, walk.paths);
    }
    this.#wasFull = walk.overfull.size > 0;
    this.#last = walk.paths;
    return walk;
  }

  /** `known`: their folders come first. */
  async #pass(listings: Listings, steps: Steps, known: ReadonlyMap<string, FoundPath> | null): Promise<FullWalk> {
    const walk = { paths: new Map(), folders: new Set<string>(), overfull: new Set<string>(), links: [] };
    const used = { bytes: 0, names: 0 };
    const folders = known === null ? [] : [...new Set([...known.keys()].map(folderOf))];
    for (const [n, patterns] of this.#rules.entries()) {
      const limits = shareOf(NOTHING, this.#limits, n, this.#rules.length);
      const visiting = { ...walk, patterns, listings, steps, limits, used, last: this.#last, isTop: true };
      for (const segments of patterns.include) await visitKnown(folders, segments, visiting);
      for (const segments of patterns.include) await visit('', segments, 0, visiting);
    }
    for (const folder of listings.overfull) walk.overfull.add(folder === '/' ? '' : folder);
    return walk;
  }

  async #knownPaths(steps: Steps): Promise<Map<string, FoundPath>> {
    const known = new Map(this.#last);
    for (const path of this.#known()) {
      if (steps.isOver()) await steps.next();
      const patterns = known.has(path) ? undefined : this.#rules.find((rule) => rule.covers(path));
      if (patterns === undefined || (await isBehindLink(path, patterns.rootDepth))) continue;
      known.set(path, { path, rule: patterns.rule, isAsked: true, before: pathsBeforeRotation(path) });
    }
    return known;
  }

  /** Known files that were not come upon, and are there: as many again as a walk finds, and of each folder some. */
  async #keep(known: ReadonlyMap<string, FoundPath>, paths: Map<string, FoundPath>): Promise<void> {
    const missing = roundRobin(
      [...known.values()].filter(({ path }) => !paths.has(path)),
      ({ path }) => dirname(path),
    );
    let { files, bytes } = this.#limits;
    for (let at = 0; at < missing.length && files > 0 && bytes > 0; at += STATS_AT_ONCE) {
      const some = missing.slice(at, at + STATS_AT_ONCE);
      const are = await Promise.all(some.map(({ path, rule }) => isFile(path, rule.form !== undefined)));
      for (const found of some.filter((_, i) => are[i])) {
        files -= 1;
        bytes -= bytesOfNames([found.path, ...found.before]);
        if (files >= 0 && bytes >= 0) paths.set(found.path, found);
      }
    }
  }
}
