// `npm run bench [-- PART…]`: prints figures, asserts nothing, and ends with a table of them beside what design.md asks for. Speeds are per
// CPU-second of the process under test, so that they mean something on shared machines; compare figures of one run only.
//
// Kafka and Elasticsearch come from test/backends; they are started once. What runs is dist/sluice.js, where a whole program is measured.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { endAll } from '#test/backends/source.ts';
import { type Figure, readFigure, table } from './figures.ts';

const PARTS = ['extents', 'json', 'transcode', 'queue', 'forwarder', 'indexer', 'all-in-one'];
const NEED_KAFKA = ['queue', 'forwarder', 'indexer'];
const NEED_ELASTICSEARCH = ['indexer'];

process.exitCode = await main(process.argv.slice(2)).finally(endAll);

async function main(named: readonly string[]): Promise<number> {
  const unknown = named.filter((name) => !PARTS.includes(name));
  if (unknown.length > 0) {
    console.error(`Cannot run "${unknown.join('", "')}": the parts are ${PARTS.join(', ')}`);
    return 2;
  }
  const parts = named.length > 0 ? named : PARTS;
  await offerBackends(parts);
  const figures: Figure[] = [];
  const failed: string[] = [];
  for (const part of parts) {
    console.log(`\n${part}`);
    if (!(await runPart(part, figures))) failed.push(part);
  }
  if (figures.length > 0) console.log(`\n${table(figures)}`);
  if (failed.length > 0) console.error(`Failed: ${failed.join(', ')}`);
  return failed.length > 0 ? 1 : 0;
}

/** Hands the addresses to the parts by the environment, as test/run.ts does to the tests. */
async function offerBackends(parts: readonly string[]): Promise<void> {
  if (parts.some((part) => NEED_KAFKA.includes(part))) {
    const found = await kafka();
    process.env['SLUICE_TEST_KAFKA'] = found?.brokers.join() ?? 'none';
    console.log(`Kafka: ${found?.how ?? 'none'}`);
  }
  if (parts.some((part) => NEED_ELASTICSEARCH.includes(part))) {
    const found = await elasticsearch();
    process.env['SLUICE_TEST_ELASTICSEARCH'] = found?.url ?? 'none';
    console.log(`Elasticsearch: ${found?.how ?? 'none'}`);
  }
}

/** Prints the part's lines as they come and keeps its figures. Resolves false if it fails. */
async function runPart(part: string, figures: Figure[]): Promise<boolean> {
  const child = fork(new URL('part.ts', import.meta.url), [part], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  const own: Figure[] = [];
  let peakMib: number | null = null;
  child.on('message', (message: { peakMib: number }) => ({ peakMib } = message));
  if (child.stdout) {
    for await (const line of createInterface({ input: child.stdout })) {
      console.log(`  ${line.trimStart()}`);
      const figure = readFigure(line);
      if (figure) own.push(figure);
    }
  }
  const [code] = await exited;
  // A part that tells no peak is itself what it measures.
  figures.push(...own.map((figure) => ({ ...figure, peakMib: figure.peakMib ?? peakMib })));
  return code === 0;
}
