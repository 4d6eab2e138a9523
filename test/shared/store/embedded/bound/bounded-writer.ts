// Writes to an embedded store with a bound until it is killed, and prints the number of each request that was answered.
// Arguments: data folder, number of the first request, bound in bytes.

import { systemClock } from '#shared/clock.ts';
import { openEmbeddedStore } from '#shared/store/embedded/store.ts';
import { bulkRequest } from '#test/contract/store-bodies.ts';
import { incompressible } from './incompressible.ts';

const [dataDir, first = '1', bytesMax] = process.argv.slice(2);
if (dataDir === undefined) throw new Error('give a data folder');
const store = await openEmbeddedStore({
  dataDir,
  readOnly: false,
  retentionMs: 86_400_000,
  bytesMax: Number(bytesMax),
  clock: systemClock,
});

for (let number = Number(first); ; number++) {
  await store.bulk(bulkRequest(incompressible(number)));
  process.stdout.write(`${number}\n`);
}
