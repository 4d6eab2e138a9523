// What a file is read with: what its lines are, where they go, and whom it tells what becomes of it.

import type { Generation } from '../checkpoints/generations.ts';
import type { Delivery } from './delivery.ts';
import type { SourceBudget } from './source-budgets.ts';
import type { SourceFacts } from './source-form.ts';

/** `File`: one that is followed. */
export interface FollowOptions<File> extends SourceFacts {
  readonly delivery: Delivery;
  /** Null: somebody waits for it (an import). */
  readonly budget: SourceBudget | null;
  /** A place has moved, or what else is saved. */
  readonly changed: (generation: Generation) => void;
  /** Saves at once; false where that failed. */
  readonly save: () => Promise<boolean>;
  /** The file has other content than what was read. `file` is over; its descriptor goes on. */
  readonly replaced: (file: File) => void;
  /** The file was written, and has not grown: whether it has the same content, or was written anew. */
  readonly compared: (path: string, found: 'same' | 'anew') => void;
  /** Lines that have another form than they should, and were given as they are. */
  readonly malformed: (path: string, lines: number) => void;
  /** It cannot be read. */
  readonly failed: (file: File, error: unknown) => void;
  /** The system says when a file of it is written (no network is between). */
  readonly hasTrueTimes: boolean;
  /** Monotonic. */
  readonly nowMs: () => number;
}
