// What an erasure cannot find yet, for it is not indexed: the lag of all groups of the indexers, those that read topics
// of others too.

import { reasonOf } from '#shared/errors.ts';
import { lagRecords, type LagSource } from '#shared/queue/group-lag.ts';
import type { EraseFindings } from './report.ts';

/** Rejects where the lag of the own group is not known. */
export async function unindexed(source: LagSource): Promise<Pick<EraseFindings, 'lag' | 'lagFailures'>> {
  const own = await source.sample();
  const others = await source.others?.();
  const partitions = [own, ...(others?.lags ?? [])].flatMap((lag) => lag.partitions);
  const lag = partitions.reduce((records, partition) => records + lagRecords(partition), 0);
  return { lag, lagFailures: (others?.failures ?? []).map(({ error }) => reasonOf(error)) };
}
