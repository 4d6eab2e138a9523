// Erases what was found, in passes: what comes meanwhile, or was not found yet, goes with the next. Each pass ends with
// a count of what is left, and only after deletes are seen: else the count would tell documents that are gone.

import { reasonOf } from '#shared/errors.ts';
import type { EraseQuery, StoreEraser } from '#shared/store/erase.ts';
import { Progress } from '../output/progress.ts';
import type { CommandContext } from '../process/command.ts';
import { eraseFound } from './dead-letters.ts';
import { type EraseFindings, type EraseResult, progressText } from './report.ts';

/** What comes while it is erased is erased too, so many times. */
const PASSES_MAX = 3;
/** Of reasons that are told: the store has names of indices and requests in them. */
const REASONS_MAX = 20;

interface Erasing {
  readonly query: EraseQuery;
  readonly findings: EraseFindings;
  readonly context: CommandContext;
}

/** What could not be is told in the result. */
export async function eraseFindings(eraser: StoreEraser, { query, findings, context }: Erasing): Promise<EraseResult> {
  const { signal, clock, stderr } = context;
  let documents = 0;
  let deadLetters = 0;
  let left = findings.documents;
  let refused = new Map<string, number>();
  let stopped: string | null = null;
  using _progress = new Progress({ stderr, clock }, () => progressText(documents, findings.documents));
  try {
    for (let pass = 0; pass < PASSES_MAX && left > 0; pass++) {
      refused = new Map();
      const before = documents;
      for await (const step of eraser.erase(query, signal)) {
        documents += step.erased;
        for (const [why, count] of step.refused) {
          const known = refused.has(why) || refused.size < REASONS_MAX ? why : 'other reasons';
          refused.set(known, (refused.get(known) ?? 0) + count);
        }
      }
      await clock.sleep(eraser.foundAfterMs, signal);
      left = await eraser.count(query, signal);
      if (documents === before) break;
    }
    if (findings.deadLetters?.kind === 'embedded')
      deadLetters = await eraseFound(context, findings.deadLetters.offsets);
  } catch (error) {
    stopped = signal.aborted ? 'It was stopped; what was erased is gone, run it again for the rest' : reasonOf(error);
  }
  return { documents, deadLetters, left, refused, stopped };
}
