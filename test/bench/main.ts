// `npm run bench [-- NAME…]`: prints figures, asserts nothing. Speeds are per CPU-second of the process under test, so
// that they mean something on shared machines; compare figures of one run only.

import { endAll } from '#test/backends/source.ts';

const parts = [
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
const chosen = process.argv.slice(2);
for (const name of chosen) {
  if (!parts.includes(name)) {
    console.error(`Cannot run "${name}": the parts are ${parts.join(', ')}`);
    process.exit(2);
  }
}
try {
  for (const name of chosen.length > 0 ? chosen : parts) {
    const { run }: { run: () => Promise<void> } = await import(`./${name}.ts`);
    await run();
    console.log('');
  }
} finally {
  await endAll();
}
