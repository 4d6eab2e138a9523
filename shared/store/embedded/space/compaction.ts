// Makes the file as small as it can be, in steps: what an earlier version left is converted, small blocks are merged
// between their age marks, however few they are, and all free pages are given back. A service may write meanwhile: what
// comes is left as it is, so that this ends.

import type { DatabaseSync } from 'node:sqlite';
import type { AgeMarks } from '#shared/sqlite/age-marks.ts';
import type { StoreSpace } from './store-space.ts';
import type { MergeRange } from '../tables/block-merge.ts';

export interface CompactStep {
  readonly phase: 'convert' | 'merge' | 'space';
  /** Where merging goes on: behind the age mark of this document. */
  readonly afterRow: number;
  /** The last document that was there when merging began. */
  readonly lastRow: number;
  /** Of those that were free when giving back began, how many are left. */
  readonly freePages: number;
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
  lastRow(): number;
  /** Returns whether there is more. */
  convert(): boolean;
  merge(range: MergeRange): boolean;
}

export const FIRST_STEP: CompactStep = { phase: 'convert', afterRow: -1, lastRow: -1, freePages: 0 };
const GIVEN_BACK_PAGES = 2000;

export function compact(parts: CompactionParts, step: CompactStep): Compacted {
  const next = nextStep(parts, step);
  const { usedBytes, freeBytes, walBytes } = parts.space.measure(null);
  const blocks = Number(parts.blocks.prepare('SELECT count(*) AS n FROM blocks').get()?.['n']);
  return { next, blocks, usedBytes, freeBytes, walBytes };
}

function nextStep(parts: CompactionParts, step: CompactStep): CompactStep | null {
  const { marks, space, merge } = parts;
  const { phase, afterRow, lastRow, freePages } = step;
  if (phase === 'convert') return parts.convert() ? step : { ...step, phase: 'merge', lastRow: parts.lastRow() };
  if (phase === 'merge') {
    const toRow = Math.min(marks.at(afterRow + 1) ?? lastRow, lastRow);
    if (merge({ afterRow, toRow, all: true })) return step;
    return toRow < lastRow ? { ...step, afterRow: toRow } : { ...step, phase: 'space', freePages: space.freePages() };
  }
  if (freePages > 0 && space.giveBack(Math.min(freePages, GIVEN_BACK_PAGES)))
    return { ...step, freePages: freePages - GIVEN_BACK_PAGES };
  space.checkpoint('TRUNCATE');
  return null;
}
