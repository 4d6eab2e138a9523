// `sluice store sizes`.

import { parseArgs } from 'node:util';
import { harmless } from '#shared/harmless.ts';
import { openStoreFiles, storeBytesMax } from '#shared/open/open-store-files.ts';
import { countArgument } from '../search/count-argument.ts';
import { Output } from '../output/output.ts';
import { Progress } from '../output/progress.ts';
import { documentsProgress } from '../output/progress-text.ts';
import type { CommandContext } from '../process/command.ts';
import { type Sizes, sizesJson, sizesText } from './size-report.ts';

const OPTIONS = { number: { type: 'string', short: 'n' }, json: { type: 'boolean', default: false } } as const;
const CONTAINERS = 20;

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const containersMax = values.number === undefined ? CONTAINERS : countArgument('-n', values.number);
  const output = new Output(context);
  const sizes = await measured(context);
  if (sizes === null) return 1;
  const text = values.json ? sizesJson(sizes) : sizesText(sizes, containersMax);
  await output.write(output.stdout.isTTY === true ? harmless(text) : text);
  return 0;
}

/** Null where it was interrupted. */
async function measured({ config, clock, signal, stderr }: CommandContext): Promise<Sizes | null> {
  // What is damaged is told by its size.
  await using store = await openStoreFiles(config, { clock, readOnly: true, warn: () => undefined });
  const summary = await store.files.summary();
  const beganMs = clock.monotonicMs();
  const bytes = new Map<number, number>();
  let [documents, unknownBytes] = [0, 0];
  using _shown = new Progress({ stderr, clock }, () =>
    documentsProgress(documents, {
      share: documents / Math.max(1, summary.documents),
      elapsedMs: clock.monotonicMs() - beganMs,
      isTerminal: stderr.isTTY === true,
    }),
  );
  for await (const sized of store.files.sizes(summary.lastBlock)) {
    if (signal.aborted) return null;
    documents += sized.documents;
    unknownBytes += sized.unknownBytes;
    for (const [origin, some] of sized.bytes) bytes.set(origin, (bytes.get(origin) ?? 0) + some);
  }
  const origins = await store.files.origins();
  return { summary, origins, bytes, unknownBytes, bytesMax: await storeBytesMax(config) };
}
