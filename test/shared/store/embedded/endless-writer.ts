// Writes to the embedded store until it is killed, and prints the number of each bulk request that was answered.
// Arguments: data folder, documents per request.

import { systemClock } from '#shared/clock.ts';
import { openEmbeddedStore } from '#shared/store/embedded/store.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';

const [dataDir, perRequest = '1'] = process.argv.slice(2);
if (dataDir === undefined) throw new Error('give a data folder');
const store = await openEmbeddedStore({ dataDir, readOnly: false, retentionMs: 86_400_000, clock: systemClock });

async function write(batch: number): Promise<void> {
  const documents = Array.from({ length: Number(perRequest) }, (_, i) => ({
    id: testId(batch, i),
    index: 'logs-sluice-default',
    document: { '@timestamp': new Date().toISOString(), message: `line ${i}` },
  }));
  await store.bulk(bulkRequest(documents));
  process.stdout.write(`${batch}\n`);
}

for (let batch = 1; ; batch += 4) await Promise.all([batch, batch + 1, batch + 2, batch + 3].map(write));
