// What the owner of a consumer was told of logs that changed. It is told before the new position is committed: one who
// dies in between has the next one tell it again, where otherwise nobody might. A commit that fails, or whose answer is
// lost, makes us find the same again; here what was told is left out, so that one process tells no loss twice.

import type { LogChange, RecordLoss } from '../../queue.ts';

interface Told {
  readonly topicId: string | null;
  readonly change: LogChange;
}

export class ToldChanges {
  /** By partition, the last one of each. */
  readonly #told = new Map<number, Told>();

  /** Those that are news, with the losses that are; they count as told from here on. */
  news(topicId: string | null, changes: readonly LogChange[]): LogChange[] {
    return changes.flatMap((change) => {
      const told = this.#told.get(change.partition);
      this.#told.set(change.partition, { topicId, change });
      if (told === undefined || told.topicId !== topicId || told.change.reason !== change.reason) return [change];
      const { from, next } = told.change;
      if (from === change.from && next === change.next) return [];
      if (change.reason === 'log_truncated') return [change];
      if (change.reason === 'retention')
        return [{ ...change, losses: change.losses.flatMap((loss) => outside(loss, from, next)) }];
      // A topic is made anew once, wherever reading of the old one stood: news is what retention has removed since.
      const losses = change.losses
        .filter(({ reason }) => reason === 'retention')
        .flatMap((loss) => outside(loss, 0, next));
      const since: LogChange = { ...change, reason: 'retention', from: next, losses };
      return losses.length === 0 ? [] : [since];
    });
  }

  /** Committed up to `next`: if the same is found behind it, it has happened again. */
  passed(partition: number, next: number): void {
    if (next > (this.#told.get(partition)?.change.next ?? Infinity)) this.#told.delete(partition);
  }
}

/** What of a loss lies before `from`, or at `to` and after it. */
function outside(loss: RecordLoss, from: number, to: number): RecordLoss[] {
  const before = { ...loss, to: Math.min(loss.to, from) };
  const after = { ...loss, from: Math.max(loss.from, to) };
  return [before, after].filter((part) => part.from < part.to);
}
