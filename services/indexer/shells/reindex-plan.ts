// What a reading of a range of the queue has to read: which offsets of each partition, and where one that ended early
// has come to.

import { createHash } from 'node:crypto';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import type { OffsetSpan, RewindPosition, RewindRange, RewindSource } from '#shared/queue/rewind-source.ts';
import { decodeBatches } from '#shared/record/record.ts';

export interface ReindexRange {
  /** The edge took its events at or after, and before; ms since the epoch. */
  readonly fromMs: number;
  readonly toMs: number;
  /** How far the clocks of edge and queue may be apart, and how long the parts of a line may. */
  readonly leadMs: number;
  /** How long after the range the queue may have taken what is of it. */
  readonly lateMs: number;
  readonly into?: string | undefined;
  /** Begins anew, whatever an earlier one has done. */
  readonly restart: boolean;
}

interface PlannedSpan extends OffsetSpan, RewindPosition {
  readonly partition: number;
}

export interface ReindexPlan extends Pick<ReindexRange, 'fromMs' | 'toMs' | 'leadMs'> {
  /** Of the range and what is different with it: an equal one goes on where this one stops. */
  readonly name: string;
  readonly spans: readonly PlannedSpan[];
  /** Of the queue, those of an earlier reading included. */
  readonly records: number;
  /** Records that an earlier reading has done. */
  readonly done: number;
  /** Records that retention has removed since an earlier reading stopped. */
  readonly lost: number;
  /** Partitions that begin with the range: what the queue took before is gone, and may have been of it. */
  readonly cut: readonly { readonly partition: number; readonly low: number }[];
}

export async function planReindex(source: RewindSource, range: ReindexRange): Promise<ReindexPlan> {
  const { fromMs, toMs, leadMs, lateMs, into, restart } = range;
  const id = createHash('sha256').update(JSON.stringify([fromMs, toMs, leadMs, lateMs, into ?? null]));
  const name = `reindex-${id.digest('hex').slice(0, 12)}`;
  const located = await source.locate({ fromMs: fromMs - leadMs, toMs: toMs + Math.max(lateMs, leadMs), name });
  const isAnew = restart || located.every(({ saved, end }) => saved === null || saved.next >= end);
  return { name, fromMs, toMs, leadMs, ...planOf(isAnew ? located.map((one) => ({ ...one, saved: null })) : located) };
}

/** Pure. */
export function planOf(
  located: readonly RewindRange[],
): Pick<ReindexPlan, 'spans' | 'records' | 'done' | 'lost' | 'cut'> {
  const spans: PlannedSpan[] = [];
  const cut: { partition: number; low: number }[] = [];
  let records = 0;
  let done = 0;
  let lost = 0;
  for (const { partition, low, first, end, saved } of located) {
    // What an earlier reading had before it, and is gone by now, was of the range as well.
    const start = saved === null ? first : Math.min(first, saved.next);
    const next = Math.min(end, Math.max(saved?.next ?? first, first));
    spans.push({ partition, next, end, tries: saved !== null && saved.next === next ? saved.tries : 0 });
    records += end - first;
    done += next - first;
    if (saved !== null) lost += Math.max(0, Math.min(low, end) - start);
    else if (low > 0 && first === low && first < end) cut.push({ partition, low });
  }
  return { spans, records, done, lost, cut };
}

/** Whether nothing in it can be of the range, nor of a line that lies across one of its ends. Pure. */
export function isOutside(
  { headers, timestampMs }: FetchedRecord,
  { fromMs, toMs, leadMs }: Pick<ReindexPlan, 'fromMs' | 'toMs' | 'leadMs'>,
): boolean {
  const batches = decodeBatches(headers['batches'] ?? new Uint8Array(0));
  // What cannot be read is of the range if the queue took it then.
  if (batches === null) return timestampMs < fromMs || timestampMs >= toMs;
  return batches.every(({ receivedMs }) => receivedMs < fromMs - leadMs || receivedMs >= toMs + leadMs);
}
