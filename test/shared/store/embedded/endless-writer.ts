// Writes to the embedded store until it is killed, and prints the number of each bulk request that was answered.
// Requests are of 1 to 120 documents by their number, and now and then one that was answered before comes again.
// Arguments: data folder, number of the first request.

import assert from 'node:assert/strict';
import { systemClock } from '#shared/clock.ts';
import { openEmbeddedStore } from '#shared/store/embedded/store.ts';
import { bulkRequest } from '#test/contract/store-bodies.ts';
import { requestOf } from './numbered-requests.ts';

const [dataDir, first = '1'] = process.argv.slice(2);
if (dataDir === undefined) throw new Error('give a data folder');
const store = await openEmbeddedStore({ dataDir, readOnly: false, retentionMs: 86_400_000, clock: systemClock });

async function write(number: number): Promise<void> {
  await store.bulk(bulkRequest(requestOf(number)));
  process.stdout.write(`${number}\n`);
  if (number % 5 !== 0) return;
  const again = await store.bulk(bulkRequest(requestOf(Math.max(1, number - 7 * (number % 13)))));
  // One that was never answered may be taken now; it is whole all the same.
  assert(new Set(again.map(({ status }) => status)).size === 1);
}

for (let number = Number(first); ; number += 4)
  await Promise.all([number, number + 1, number + 2, number + 3].map(write));
