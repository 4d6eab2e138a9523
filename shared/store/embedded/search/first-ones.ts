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

export interface KeptMax {
  /** Of those that may be meant. */
  readonly keep: number;
  /** So many of those that are meant are enough. */
  readonly enough: number;
}

/** The first of those that were added; half of what it holds at most is behind them. */
export class FirstOnes {
  readonly #plan: SearchPlan;
  readonly #keep: number;
  readonly #enough: number;
  #candidates: Candidate[] = [];
  /** Of the candidates, those that need not be asked. */
  #exact = 0;
  #isSorted = true;
  /** So many come before it as are kept. */
  #last: Candidate | null = null;
  isCut = false;

  constructor(plan: SearchPlan, { keep, enough }: KeptMax) {
    this.#plan = plan;
    this.#keep = keep;
    this.#enough = enough;
  }

  add(candidate: Candidate): void {
    if (this.#last !== null && compare(this.#plan, candidate, this.#last) > 0) {
      this.isCut = true;
      return;
    }
    this.#candidates.push(candidate);
    if (candidate.isExact) this.#exact += 1;
    this.#isSorted = false;
    if (this.#candidates.length > 2 * this.#keep + 1000) this.#sort();
  }

  /** Whether as many as are kept, or enough, come before this first key. Those that do not are left out then. */
  isBefore(key: bigint): boolean {
    if (this.#candidates.length < this.#keep && this.#exact < this.#enough) return false;
    this.#sort();
    const comesBefore = (one: Candidate): boolean => {
      const own = firstKey(this.#plan, one);
      return this.#plan.isNewest ? own > key : own < key;
    };
    // Most often not even the first ones do.
    if (!this.#candidates.slice(0, 1).every(comesBefore)) return false;
    const count = this.#candidates.findLastIndex(comesBefore) + 1;
    let exact = 0;
    for (let i = 0; i < count; i++) if (this.#candidates[i]?.isExact === true) exact += 1;
    if (count < this.#keep && exact < this.#enough) return false;
    this.#candidates.length = count;
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
    this.#exact = this.#candidates.reduce((sum, { isExact }) => sum + Number(isExact), 0);
    this.#last = this.#candidates.at(-1) ?? null;
  }
}
