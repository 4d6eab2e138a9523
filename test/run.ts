// `npm test [-- PATTERN…]`: every test that this machine can run, or those whose path contains one of the patterns.
// Starts one Kafka and one Elasticsearch for all files that want them (test/backends/source.ts tells from where), hands their
// addresses down by the environment, and ends them whatever happens. Says at the start and at the end what was real and what was skipped.
//
//   SLUICE_TEST_REQUIRE=1   a skipped test fails the run: for machines that are meant to have everything

import { globSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { elasticsearch } from './backends/elasticsearch.ts';
import { kafka } from './backends/kafka.ts';
import { endAll, whyNot } from './backends/source.ts';

const root = join(import.meta.dirname, '..');
/** A test that hangs must not hang the run; real backends need minutes at most. */
const testTimeoutMs = 600_000;

interface Counts {
  passed: number;
  failed: number;
  readonly skipped: string[];
}

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stopping.abort();
    void endAll().then(() => process.exit(1));
  });
}
process.exitCode = await main(process.argv.slice(2)).finally(endAll);

async function main(patterns: readonly string[]): Promise<number> {
  const files = globSync('test/**/*.test.ts', { cwd: root })
    .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
    .sort();
  if (files.length === 0) {
    console.error(`Cannot run tests: no file test/**/*.test.ts has ${patterns.join(' or ')} in its path`);
    return 1;
  }
  const wanted = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const backends: string[] = [];
  if (wanted.includes('backends/kafka.ts')) backends.push(await offer('SLUICE_TEST_KAFKA', 'Kafka', kafka));
  if (wanted.includes('backends/elasticsearch.ts')) {
    backends.push(await offer('SLUICE_TEST_ELASTICSEARCH', 'Elasticsearch', elasticsearch));
  }
  for (const line of backends) console.log(line);

  const counts: Counts = { passed: 0, failed: 0, skipped: [] };
  const isIntegration = (file: string): boolean => file.startsWith(join('test', 'integration'));
  // Suites that start whole programs would fight for the processors; one at a time, after all others.
  await runFiles(
    files.filter((file) => !isIntegration(file)),
    availableParallelism(),
    counts,
  );
  await runFiles(files.filter(isIntegration), 1, counts);

  console.log('');
  for (const line of backends) console.log(line);
  for (const line of counts.skipped) console.log(`SKIPPED ${line}`);
  // Closed form, which readers of logs look for.
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped.length} skipped`);
  const required = process.env['SLUICE_TEST_REQUIRE'] === '1' && counts.skipped.length > 0;
  if (required) console.error('Failed: tests were skipped, and SLUICE_TEST_REQUIRE=1 asks for all of them');
  return counts.failed > 0 || required ? 1 : 0;
}

/** Starts a backend and hands its address to the test processes. Returns the line that tells of it. */
async function offer(
  variable: string,
  name: string,
  start: () => Promise<{ how: string; brokers?: string[]; url?: string } | null>,
): Promise<string> {
  console.log(`${name}: looking for one …`);
  const found = await start();
  process.env[variable] = found?.url ?? found?.brokers?.join() ?? 'none';
  process.env[`${variable}_HOW`] = found?.how ?? '';
  if (found) return `${name}: real, ${found.how}`;
  return `${name}: NONE, its suites are SKIPPED. ${whyNot(variable) || `${variable}=none`}`;
}

async function runFiles(files: string[], concurrency: number, counts: Counts): Promise<void> {
  if (files.length === 0) return;
  const stream = run({ files, cwd: root, concurrency, timeout: testTimeoutMs, signal: stopping.signal });
  stream.on('test:pass', (test) => {
    if (test.skip !== undefined)
      counts.skipped.push(`${relative(root, test.file ?? '')}: ${test.name}${reason(test.skip)}`);
  });
  stream.on('test:summary', (summary) => {
    // One summary for each file, and one for all, which has no file.
    if (summary.file !== undefined) return;
    counts.passed += summary.counts.passed;
    counts.failed += summary.counts.tests - summary.counts.passed - summary.counts.skipped - summary.counts.todo;
  });
  for await (const text of stream.compose(spec)) process.stdout.write(String(text));
}

function reason(skip: string | boolean): string {
  return typeof skip === 'string' && skip !== '' ? ` (${skip})` : '';
}
