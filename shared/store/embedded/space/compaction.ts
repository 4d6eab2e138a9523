// Makes the file as small as it can be, in steps: what an earlier version left is converted, small blocks are merged
// between their age marks, however few they are, and all free pages are given back. A service may write meanwhile.

import type { DatabaseSync } from 'node:sqlite';
import type { AgeMarks } from '#shared/sqlite/age-marks.ts';
import type { StoreSpace } from './store-space.ts';
import type { MergeRange } from '../tables/block-merge.ts';

export interface CompactStep {
  readonly phase: 'convert' | 'merge' | 'space';
  /** Where merging goes on: behind the age mark of this document. */
  readonly afterRow: number;
}

export interface Compacted {
  readonly next: CompactStep | null;
  readonly blocks: number;
  readonly usedBytes: number;
  readonly freeBytes: number;
  readonly walBytes: number;
}

export interface CompactionParts {
  readonly marks: AgeMarks;
  readonly space: StoreSpace;
  readonly blocks: DatabaseSync;
  /** Returns whether there is more. */
  convert(): boolean;
  merge(range: MergeRange): boolean;
}

export const FIRST_STEP: CompactStep = { phase: 'convert', afterRow: -1 };
const GIVEN_BACK_PAGES = 2000;

export function compact(parts: CompactionParts, step: CompactStep): Compacted {
  const next = nextStep(parts, step);
  const { usedBytes, freeBytes, walBytes } = parts.space.measure(null);
  const blocks = Number(parts.blocks.prepare('SELECT count(*) AS n FROM blocks').get()?.['n']);
  return { next, blocks, usedBytes, freeBytes, walBytes };
}

function nextStep({ marks, space, convert, merge }: CompactionParts, step: CompactStep): CompactStep | null {
  const { phase, afterRow } = step;
  if (phase === 'convert') return convert() ? step : { phase: 'merge', afterRow: -1 };
  if (phase === 'merge') {
    const mark = marks.at(afterRow + 1);
    if (merge({ afterRow, toRow: mark ?? undefined, all: true })) return step;
    return mark === null ? { phase: 'space', afterRow } : { phase, afterRow: mark };
  }
  if (space.giveBack(GIVEN_BACK_PAGES)) return step;
  space.checkpoint('TRUNCATE');
  return null;
}
