// `npm run bench [-- NAME…]`: prints figures, asserts nothing. Speeds are per CPU-second of the process under test, so
// that they mean something on a shared machine. Compare figures of one run only, or by compare.ts.

import { reasonOf } from '#shared/errors.ts';
import { endAll } from '#test/backends/source.ts';
import { compare, compareOptions } from './compare.ts';

const benches = [
  'extents',
  'json',
  'transcode',
  'queue',
  'syslog',
  'forwarder',
  'indexer',
  'crowd',
  'tenants',
  'cold-start',
  'scrape',
  'workers',
  'amplification',
];
const work = planned(process.argv.slice(2));
try {
  await work();
} finally {
  await endAll();
}

/** What the arguments ask for; where they are wrong, this process ends. */
function planned([first, ...others]: readonly string[]): () => Promise<void> {
  try {
    if (first === 'compare') {
      const options = compareOptions(others, benches);
      return () => compare(options);
    }
    const names = first === undefined ? benches : [first, ...others];
    const unknown = names.find((name) => !benches.includes(name));
    if (unknown !== undefined) throw new Error(`Cannot run "${unknown}": the benches are ${benches.join(', ')}`);
    return () => runAll(names);
  } catch (error) {
    console.error(reasonOf(error));
    return process.exit(2);
  }
}

async function runAll(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const { run }: { run: () => Promise<void> } = await import(`./${name}.ts`);
    await run();
    console.log('');
  }
}
