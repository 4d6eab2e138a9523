// `npm run bench [-- NAME… [--documents N]]`: prints figures, asserts nothing. Speeds are per CPU-second of the process
// under test, so that they mean something on a shared machine. Compare figures of one run only, or by parts/compare.ts.

import { parseArgs } from 'node:util';
import { reasonOf } from '#shared/errors.ts';
import { endAll } from '#test/backends/source.ts';
import { compare, compareOptions } from './parts/compare.ts';

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
  'elasticsearch',
  'store',
];
const work = planned(process.argv.slice(2));
try {
  await work();
} finally {
  await endAll();
}

/** What the arguments ask for; where they are wrong, this process ends. */
function planned(given: readonly string[]): () => Promise<void> {
  const [first, ...others] = given;
  try {
    if (first === 'compare') {
      const options = compareOptions(others, benches);
      return () => compare(options);
    }
    const { values, positionals } = parseArgs({
      args: [...given],
      options: { documents: { type: 'string' }, events: { type: 'string' } },
      allowPositionals: true,
    });
    const documents = wholeNumber(values.documents, 'documents');
    const events = wholeNumber(values.events, 'events');
    const names = positionals.length === 0 ? benches : positionals;
    const unknown = names.find((name) => !benches.includes(name));
    if (unknown !== undefined) throw new Error(`Cannot run "${unknown}": the benches are ${benches.join(', ')}`);
    return () => runAll(names, { ...(documents && { documents }), ...(events && { events }) });
  } catch (error) {
    console.error(reasonOf(error));
    return process.exit(2);
  }
}

function wholeNumber(text: string | undefined, what: string): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new Error(`Cannot load "${text}" ${what}: give a whole number above 0`);
}

interface BenchOptions {
  /** How many documents the benches of Elasticsearch and of the embedded store load each time. */
  readonly documents?: number;
  /** The same, of the embedded store alone. */
  readonly events?: number;
}

async function runAll(names: readonly string[], options: BenchOptions): Promise<void> {
  for (const name of names) {
    const { run }: { run: (options: BenchOptions) => Promise<void> } = await import(`./${name}.ts`);
    await run(options);
    console.log('');
  }
}
