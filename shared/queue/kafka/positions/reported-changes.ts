// Which changes of logs the owner of a consumer has heard of. It hears of one before the new position is committed: if
// the process dies in between, the next one reports the change again; otherwise perhaps nobody would. A commit that
// fails, or whose answer is lost, makes us find the same change again. It is left out then, so that one process reports
// no loss twice.

import type { LogChange, RecordLoss } from '../../queue.ts';

interface Reported {
  readonly topicId: string | null;
  readonly change: LogChange;
}

export class ReportedChanges {
  /** By partition, the last one of each. */
  readonly #reported = new Map<number, Reported>();

  /** Those that are news, with the losses that are; they count as reported from here on. */
  news(topicId: string | null, changes: readonly LogChange[]): LogChange[] {
    return changes.flatMap((change) => {
      const reported = this.#reported.get(change.partition);
      this.#reported.set(change.partition, { topicId, change });
      if (reported === undefined || reported.topicId !== topicId || reported.change.reason !== change.reason)
        return [change];
      const { from, next } = reported.change;
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
    if (next > (this.#reported.get(partition)?.change.next ?? Infinity)) this.#reported.delete(partition);
  }
}

/** What of a loss lies before `from`, or at `to` and after it. */
function outside(loss: RecordLoss, from: number, to: number): RecordLoss[] {
  const before = { ...loss, to: Math.min(loss.to, from) };
  const after = { ...loss, from: Math.max(loss.from, to) };
  return [before, after].filter((part) => part.from < part.to);
}
