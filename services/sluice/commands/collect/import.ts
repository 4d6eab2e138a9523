// `sluice import FILE…`: reads finished files once. Their lines are named by their places, so a second run adds
// nothing, nor does one over files that were collected. Whoever has the data folder reads them: a Sluice that
// runs, or this one.

import { parseArgs } from 'node:util';
import type { ImportedFile, ImportRequest } from '#forwarder/collect/imports/file-imports.ts';
import { fileRuleMistakes } from '#shared/config/settings/file-rules.ts';
import { SluiceError } from '#shared/errors.ts';
import { messageLine } from '../../output/message-line.ts';
import { importHere } from '../../import/import-here.ts';
import { importThere } from '../../import/import-there.ts';
import { namedFiles } from '../../import/named-files.ts';
import { progressLine, summary, summaryJson, sumsOf } from '../../import/report.ts';
import { Output } from '../../output/output.ts';
import { Progress } from '../../output/progress.ts';
import type { CommandContext } from '../../process/command.ts';

export const help = `Usage: sluice import FILE… [--tag TAG] [--encoding NAME] [--json] [--config FILE]

Reads files to their ends, once: what was read of them before, by an import or as they grew, is not added again.
Interrupted, even by kill -9, it goes on where it was when it is run again. While a Sluice has the data folder, that one
reads the files; else this one does, and indexes them. With SLUICE_KAFKA_BROKERS, their lines go to Kafka.

  FILE             A path, or a pattern in quotes: * ? [a-z] {a,b}, and ** for any folders; .gz and .zst are unpacked
  --tag TAG        Of all lines (default: \`file.\` and the path with dots)
  --encoding NAME  As the WHATWG names it (default: what the byte order mark says, else UTF-8)
  --json           The summary as JSON

Exit code 0: all files are read to their ends; 1: some are not, and standard error says which.
`;

const options = {
  tag: { type: 'string' },
  encoding: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

/** A Sluice that starts or ends has the folder, and answers nobody. */
const RETRY_MS = 250;
const RETRIES_MAX = 240;
/** A Sluice that has ended may be started again, and wants its folder then. */
const COMES_BACK_MS = 10_000;

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const { tag, encoding, json } = values;
  if (positionals.length === 0) throw wrong('no file is named');
  const rule = { include: ['/any'], ...(tag !== undefined && { tag }), ...(encoding && { encoding }) };
  const [mistake] = fileRuleMistakes([rule]);
  if (mistake !== undefined || tag === '') throw wrong(mistake ?? 'the tag is empty');
  const paths = await namedFiles(positionals);
  const output = new Output(context);
  const { clock, signal, stderr } = context;
  let files: readonly ImportedFile[] = [];
  const beganMs = clock.monotonicMs();
  const text = (): string => progressLine(files, clock.monotonicMs() - beganMs, stderr.isTTY === true);
  let isStopped = false;
  {
    using shown = new Progress({ stderr, clock }, text);
    const progress = (now: readonly ImportedFile[]): void => void (files = now);
    try {
      files = await importFiles({ paths, tag, encoding }, { context, progress, warn: (line) => shown.warn(line) });
    } catch (error) {
      if (!signal.aborted) throw error;
      isStopped = true;
    }
  }
  await output.write(json ? summaryJson(files) : summary(files));
  for (const { path, refusal } of files) {
    if (refusal === null) continue;
    await output.write(messageLine(`Cannot import ${path}: ${refusal}; run it again when that is mended`), stderr);
  }
  if (isStopped) await output.write(messageLine('It was stopped; run it again to go on where it was'), stderr);
  return isStopped || sumsOf(files).refused > 0 ? 1 : 0;
}

interface Importing {
  readonly context: CommandContext;
  readonly progress: (files: readonly ImportedFile[]) => void;
  readonly warn: (line: string) => void;
}

async function importFiles(
  request: ImportRequest,
  { context, progress, warn }: Importing,
): Promise<readonly ImportedFile[]> {
  const { config, clock, signal } = context;
  let locked: SluiceError | null = null;
  let goneMs = Number.NEGATIVE_INFINITY;
  for (let tries = 0; tries < RETRIES_MAX; tries += 1) {
    const files = await importThere(config['data.dir'], request, { signal, progress });
    if (typeof files !== 'string') return files;
    if (files === 'gone') {
      warn('The Sluice that read the files has ended; waiting for it');
      goneMs = clock.monotonicMs();
    }
    try {
      if (clock.monotonicMs() - goneMs >= COMES_BACK_MS) {
        return await importHere({ config, clock, warn }, request, { signal, progress });
      }
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'data_dir_locked') throw error;
      locked = error;
    }
    await clock.sleep(RETRY_MS, signal);
  }
  throw locked ?? new SluiceError('data_dir_locked', 'Cannot import: a Sluice has the data folder; stop it');
}

function wrong(why: string): SluiceError {
  return new SluiceError('usage_wrong', `Cannot import: ${why}; see --help`);
}
