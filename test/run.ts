// `npm test [-- [--changed] PATTERN…]`: every test that this machine can run, or those whose path contains one of the
// patterns. Starts one Kafka and one Elasticsearch for all files that want them (test/backends/source.ts tells from
// where), hands their addresses down by the environment, and ends them whatever happens. Says at the start and at the
// end what was real and what was skipped.
//
//   --changed               only tests that what changed since the merge base with main can reach (test/changed)
//   SLUICE_TEST_REQUIRE=1   a skipped test fails the run: for machines that are meant to have everything

import { globSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { reasonOf } from '#shared/errors.ts';
import { endAll, whyNot } from './backends/source.ts';

const root = join(import.meta.dirname, '..');
/** A test that hangs must not hang the run; real backends need minutes at most, but for those that run at length. */
const testTimeoutMs = 60_000 * Number(process.env['SLUICE_TEST_TIMEOUT_MINUTES'] || 10);

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
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { changed: { type: 'boolean', default: false } },
});
process.exitCode = await main(positionals).finally(endAll);

async function main(patterns: readonly string[]): Promise<number> {
  const all = globSync('test/**/*.test.ts', { cwd: root }).sort();
  const matches = (file: string): boolean => patterns.length === 0 || patterns.some((part) => file.includes(part));
  if (!all.some(matches)) {
    console.error(`Cannot run tests: no file test/**/*.test.ts has ${patterns.join(' or ')} in its path`);
    return 1;
  }
  const files = (values.changed ? await reachedByChange(all) : all).filter(matches);
  if (files.length === 0) {
    console.log('No test to run');
    return 0;
  }
  const wanted = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const backends: string[] = [];
  // Loaded only where a test wants one.
  if (wanted.includes('backends/kafka.ts')) {
    const { kafka } = await import('./backends/kafka.ts');
    backends.push(await offer('SLUICE_TEST_KAFKA', 'Kafka', kafka));
  }
  if (wanted.includes('backends/elasticsearch.ts')) {
    const { elasticsearch } = await import('./backends/elasticsearch.ts');
    backends.push(await offer('SLUICE_TEST_ELASTICSEARCH', 'Elasticsearch', elasticsearch));
  }
  if (wanted.includes('backends/opensearch.ts')) {
    const { opensearch } = await import('./backends/opensearch.ts');
    backends.push(await offer('SLUICE_TEST_OPENSEARCH', 'OpenSearch', opensearch));
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

/** The tests that the change reaches; says which, and why. All of them where that cannot be told. */
async function reachedByChange(all: readonly string[]): Promise<readonly string[]> {
  const { testsOfChange } = await import('./changed/work-tree.ts');
  try {
    const { choice, changed, since } = testsOfChange(root, all);
    console.log(`${changed.length} files changed since ${since}`);
    if (choice.kind === 'all') {
      console.log(`All ${all.length} test files: ${choice.why}\n`);
      return all;
    }
    for (const file of choice.unreached) console.log(`  ${file}: no test reaches it`);
    console.log(`${choice.tests.size} of ${all.length} test files reach them:`);
    for (const [test, file] of choice.tests) console.log(`  ${test}  ->  ${file}`);
    console.log('');
    return [...choice.tests.keys()];
  } catch (error) {
    console.log(`All ${all.length} test files: git cannot tell what changed: ${reasonOf(error)}\n`);
    return all;
  }
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
  const execArgv = ['--import', new URL('./leftovers.ts', import.meta.url).href];
  const stream = run({ files, cwd: root, concurrency, timeout: testTimeoutMs, signal: stopping.signal, execArgv });
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
