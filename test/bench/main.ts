// `npm run bench [-- NAME… [--documents N …]]`: prints figures, asserts nothing. Speeds are per CPU-second of the
// process under test, so that they mean something on a shared machine. Compare figures of one run only, or by
// parts/compare.ts.

import { parseArgs } from 'node:util';
import { reasonOf } from '#shared/errors.ts';
import { endAll } from '#test/backends/source.ts';
import { benchFile } from './parts/bench-file.ts';
import { compare, compareOptions } from './parts/compare.ts';

const benches = [
  'extents',
  'json',
  'transcode',
  'queue',
  'syslog',
  'forwarder',
  'files',
  'indexer',
  'parsing',
  'crowd',
  'tenants',
  'cold-start',
  'scrape',
  'workers',
  'amplification',
  'elasticsearch',
  'store',
  'tail',
];
/** What can be said to how much a bench does; each bench tells which it knows. */
const COUNTS = ['documents', 'events', 'megabytes', 'rounds', 'rate', 'seconds', 'pods'] as const;
type Counts = Readonly<Record<string, number>>;

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
      options: Object.fromEntries(COUNTS.map((name) => [name, { type: 'string' as const }])),
      allowPositionals: true,
    });
    const options = Object.fromEntries(COUNTS.flatMap((name) => wholeNumber(values[name], name)));
    const names = positionals.length === 0 ? benches : positionals;
    const unknown = names.find((name) => !benches.includes(name));
    if (unknown !== undefined) throw new Error(`Cannot run "${unknown}": the benches are ${benches.join(', ')}`);
    return () => runAll(names, options);
  } catch (error) {
    console.error(reasonOf(error));
    return process.exit(2);
  }
}

function wholeNumber(text: string | boolean | undefined, name: string): [name: string, number: number][] {
  if (typeof text !== 'string') return [];
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return [[name, number]];
  throw new Error(`Cannot take "${text}" ${name}: give a whole number above 0`);
}

async function runAll(names: readonly string[], options: Counts): Promise<void> {
  for (const name of names) {
    const { run }: { run: (options: Counts) => Promise<void> } = await import(`./${benchFile(name)}`);
    await run(options);
    console.log('');
  }
}
