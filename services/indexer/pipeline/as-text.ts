// Refused documents once more, as text under the same ids (docs/documents.md). Their entries are read from the queue's
// records again, which are in hand still; joined lines have their own bytes.

import type { Clock } from '#shared/clock.ts';
import { BulkBody } from '../bulk/body.ts';
import { DocumentWriter } from '../parse/document/document.ts';
import type { BulkBatch, ItemRange } from '../settle/bulk-batch.ts';
import { type ReopenedRecords, extentOf } from './reopened-records.ts';
import type { RewindDifferences } from './rewind-differences.ts';

export interface AsTextOptions {
  readonly clock: Clock;
  readonly trustedTenants?: ReadonlySet<string>;
  readonly documentBytesMax: number;
  readonly rewind?: Pick<RewindDifferences, 'dataStream'> | undefined;
}

/** What cannot be written is left out: the caller sees that some are missing. */
export async function rewriteAsText(
  batch: BulkBatch,
  reopened: ReopenedRecords,
  { clock, trustedTenants: trusted, documentBytesMax: bytesMax, rewind }: AsTextOptions,
): Promise<BulkBatch> {
  const body = new BulkBody();
  const writer = new DocumentWriter(body, { ...(trusted && { trusted }), bytesMax, dataStream: rewind?.dataStream });
  const ranges: ItemRange[] = [];
  const nowMs = clock.epochMs();
  for (const range of batch.ranges) {
    writer.startBatch(range.batch, nowMs);
    const written: ItemRange = { ...range, count: 0 };
    if (range.line) {
      if (writer.writeAsText(range.line.bytes, 0, range.line.bytes.length, range.index, range.line) === 'ok')
        written.count = 1;
    } else {
      await reopened.read(range.record, (opened) => {
        // Stops at the first entry that can't be written: the caller sees that some are missing.
        while (written.count < range.count) {
          if (!opened) break;
          const { start, end } = extentOf(opened, range.entry + written.count);
          if (writer.writeAsText(opened.bytes, start, end, range.index + written.count) !== 'ok') break;
          written.count++;
        }
      });
    }
    if (written.count > 0) ranges.push(written);
  }
  const { items, body: written } = body.request();
  // Its buffer has room for more, and may wait for long.
  const own = Buffer.allocUnsafeSlow(written.length);
  own.set(written);
  return { request: { body: own, items }, ranges, asText: true };
}
