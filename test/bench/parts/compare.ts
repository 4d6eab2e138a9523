// `npm run bench -- compare --base REF [--runs 7] NAME…`: benches of this work tree and of another commit, run after
// run in turns, since a shared machine is faster in one hour than in the next. Prints both medians of each figure, and
// their ratio.
//
// The base is built in a work tree of its own, which is removed at the end, and runs its own benches; packages are
// shared where both ask for the same. Both use the same Kafka and Elasticsearch.

import { execFileSync, type ExecFileSyncOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { benchFile } from './bench-file.ts';
import { compareFigures, comparisonTable, figuresOf } from './figures.ts';

const root = join(import.meta.dirname, '../../..');
const USAGE = 'npm run bench -- compare --base REF [--runs N] NAME…';

export interface CompareOptions {
  /** The hash of the commit. */
  readonly base: string;
  readonly runs: number;
  readonly names: readonly string[];
}

/** Throws where the arguments are wrong; `known`: the names of all benches. */
export function compareOptions(args: readonly string[], known: readonly string[]): CompareOptions {
  const { values, positionals: names } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { base: { type: 'string' }, runs: { type: 'string', default: '7' } },
  });
  const { base } = values;
  const runs = Number(values.runs);
  if (base === undefined || names.length === 0) throw new Error(`Cannot compare: the usage is ${USAGE}`);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`Cannot compare ${values.runs} runs: give a number from 1`);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`Cannot run "${unknown}": the benches are ${known.join(', ')}`);
  return { base: git('rev-parse', '--verify', '--quiet', `${base}^{commit}`), runs, names };
}

export async function compare({ base, runs, names }: CompareOptions): Promise<void> {
  const stop = new AbortController();
  // npm passes on what came to it too, so a signal comes twice.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  const tree = join(mkdtempSync(join(tmpdir(), 'sluice-base-')), 'tree');
  try {
    git('worktree', 'add', '--detach', tree, base);
    build(tree);
    const env = { ...process.env, ...(await backendsOf(names)) };
    for (const name of names) {
      const found = { base: [] as ReadonlyMap<string, number>[], here: [] as ReadonlyMap<string, number>[] };
      for (let run = 0; run < runs; run++) {
        // Whoever goes second may find a warmer machine: each is second in turns.
        for (const which of run % 2 === 0 ? (['base', 'here'] as const) : (['here', 'base'] as const)) {
          console.error(`${name}: run ${run + 1} of ${runs}, ${which}`);
          const output = await outputOf(name, { cwd: which === 'base' ? tree : root, env, signal: stop.signal });
          found[which].push(figuresOf(output));
        }
      }
      console.log(`${name}: medians of ${runs} alternating runs, base ${base.slice(0, 7)}`);
      for (const line of comparisonTable(compareFigures(found.base, found.here))) console.log(`  ${line}`);
      console.log('');
    }
  } finally {
    if (existsSync(tree)) git('worktree', 'remove', '--force', tree);
    rmSync(join(tree, '..'), { recursive: true, force: true });
  }
}

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  } catch (error) {
    const { stderr } = error as { readonly stderr?: string };
    throw new Error(`Cannot compare: \`git ${args.join(' ')}\` failed: ${stderr?.trim() || 'no such commit'}`, {
      cause: error,
    });
  }
}

function build(tree: string): void {
  const lockOf = (folder: string): string => readFileSync(join(folder, 'package-lock.json'), 'utf8');
  const options: ExecFileSyncOptions = { cwd: tree, stdio: ['ignore', 'ignore', 'inherit'] };
  if (lockOf(tree) === lockOf(root)) {
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
    execFileSync(process.execPath, ['infra/build/bundle.ts'], options);
  } else execFileSync('npm', ['ci', '--no-audit', '--no-fund'], options); // Builds too.
}

/** Starts what the benches need, so that no run has to; it ends with this process. */
async function backendsOf(names: readonly string[]): Promise<Record<string, string>> {
  const sources = names.map((name) => readFileSync(join(import.meta.dirname, '..', benchFile(name)), 'utf8'));
  const needs = (backend: string): boolean => sources.some((source) => source.includes(`#test/backends/${backend}.ts`));
  const found = {
    KAFKA: needs('kafka') ? await kafka() : null,
    ELASTICSEARCH: needs('elasticsearch') ? await elasticsearch() : null,
  };
  return {
    SLUICE_TEST_KAFKA: found.KAFKA?.brokers.join() ?? 'none',
    SLUICE_TEST_KAFKA_HOW: found.KAFKA?.how ?? '',
    SLUICE_TEST_ELASTICSEARCH: found.ELASTICSEARCH?.url ?? 'none',
    SLUICE_TEST_ELASTICSEARCH_HOW: found.ELASTICSEARCH?.how ?? '',
  };
}

interface RunOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

async function outputOf(name: string, options: RunOptions): Promise<string> {
  const child = spawn(process.execPath, ['test/bench/main.ts', name], {
    ...options,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (code !== 0) throw new Error(`Cannot compare: the bench "${name}" in ${options.cwd} exited with ${code}`);
  return output;
}
