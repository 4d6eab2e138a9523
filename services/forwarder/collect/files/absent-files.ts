// Files that a walk did not come upon any more, and that may be back later as they were: of a volume that was unmounted
// for a moment, of a folder that was moved, or could not be read. Without this, all their lines would come again.
//
// Guarantees: only the very file is known again, which its inode and its time of birth tell; whether it still begins
// with what was read of it, its opening tells. At most ABSENT_MAX are remembered, for an hour, and none over a restart.

import type { Generation, Generations } from '../checkpoints/generations.ts';
import { birthOf } from './file-identity.ts';

const ABSENT_MAX = 10_000;
const REMEMBERED_MS = 3_600_000;

interface Absent {
  readonly generation: Generation;
  readonly sinceMs: number;
}

export class AbsentFiles {
  readonly #generations: Generations;
  /** By identity, in the order in which they were missed. */
  readonly #absent = new Map<string, Absent>();

  constructor(generations: Generations) {
    this.#generations = generations;
  }

  /** To be called before the generation has no file any more. */
  missed(generation: Generation, nowMs: number): void {
    const { identity } = generation;
    if (birthOf(identity) === 0n) return;
    this.#absent.delete(identity);
    this.#absent.set(identity, { generation, sinceMs: nowMs });
    for (const [oldest, { sinceMs }] of this.#absent) {
      if (this.#absent.size <= ABSENT_MAX && nowMs - sinceMs <= REMEMBERED_MS) return;
      this.#absent.delete(oldest);
    }
  }

  /** The generation of the file, if it is back; it has its file again. */
  back(identity: string, nowMs: number): Generation | null {
    const found = this.#absent.get(identity);
    if (found === undefined) return null;
    this.#absent.delete(identity);
    const { generation, sinceMs } = found;
    if (nowMs - sinceMs > REMEMBERED_MS || generation.identity !== '') return null;
    // It may have been forgotten meanwhile.
    const { source } = generation;
    if (this.#generations.sourceOf(source.path) !== source || !source.generations.includes(generation)) return null;
    this.#generations.attach(generation, identity);
    return generation;
  }
}
