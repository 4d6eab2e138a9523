// The first documents of many, in the order of a search: so many are kept, whatever is added. Pure.

import type { Block } from '../tables/block-file.ts';
import { compare, firstKey, type Place, type SearchPlan } from './search-plan.ts';

export interface Candidate extends Place {
  /** Null: a row of an older store (old-rows.ts). */
  readonly block: Block | null;
  /** Its number in the block. */
  readonly at: number;
  /** Whether nothing more has to be asked. */
  readonly isExact: boolean;
}

/** The first of those that were added; half of what it holds at most is behind them. */
export class FirstOnes {
  readonly #plan: SearchPlan;
  readonly #keep: number;
  #candidates: Candidate[] = [];
  #isSorted = true;
  /** So many come before it as are kept. */
  #last: Candidate | null = null;
  isCut = false;

  constructor(plan: SearchPlan, keep: number) {
    this.#plan = plan;
    this.#keep = keep;
  }

  add(candidate: Candidate): void {
    if (this.#last !== null && compare(this.#plan, candidate, this.#last) > 0) {
      this.isCut = true;
      return;
    }
    this.#candidates.push(candidate);
    this.#isSorted = false;
    if (this.#candidates.length > 2 * this.#keep + 1000) this.#sort();
  }

  /** Whether as many as are kept come before this first key. */
  isBefore(key: bigint): boolean {
    if (this.#candidates.length < this.#keep) return false;
    this.#sort();
    const last = this.#candidates.at(-1);
    if (last === undefined || this.#candidates.length < this.#keep) return false;
    const lastKey = firstKey(this.#plan, last);
    if (this.#plan.isNewest ? key >= lastKey : key <= lastKey) return false;
    this.isCut = true;
    return true;
  }

  all(): readonly Candidate[] {
    this.#sort();
    return this.#candidates;
  }

  #sort(): void {
    if (this.#isSorted) return;
    this.#candidates.sort((a, b) => compare(this.#plan, a, b));
    this.#isSorted = true;
    if (this.#candidates.length < this.#keep) return;
    this.isCut ||= this.#candidates.length > this.#keep;
    this.#candidates.length = this.#keep;
    this.#last = this.#candidates.at(-1) ?? null;
  }
}
