// `sluice store compact`.

import { parseArgs } from 'node:util';
import { openStoreFiles } from '#shared/open/open-store-files.ts';
import { messageLine } from '../output/message-line.ts';
import { Output } from '../output/output.ts';
import { Progress } from '../output/progress.ts';
import { countText, sizeText } from '../output/progress-text.ts';
import type { CommandContext } from '../process/command.ts';

interface Figures {
  readonly blocks: number;
  readonly usedBytes: number;
  readonly freeBytes: number;
  readonly walBytes: number;
}

export async function run(args: string[], context: CommandContext): Promise<number> {
  parseArgs({ args, options: {} });
  const { config, clock, signal, stderr } = context;
  const output = new Output(context);
  let last: Figures | null = null;
  let first: Figures | null = null;
  let isStopped = false;
  {
    using shown = new Progress({ stderr, clock }, () => (last === null ? 'opening' : `${figuresText(last)} free`));
    await using store = await openStoreFiles(config, { clock, readOnly: false, warn: (line) => shown.warn(line) });
    for await (const compacted of store.files.compact()) {
      first ??= compacted;
      last = compacted;
      if (signal.aborted) {
        isStopped = true;
        break;
      }
    }
  }
  if (first === null || last === null) return 1;
  await output.write(`${figuresText(first)} free before, ${figuresText(last)} free now\n`);
  if (isStopped) await output.write(messageLine('It was stopped; run it again to go on'), stderr);
  return isStopped ? 1 : 0;
}

function figuresText({ blocks, usedBytes, freeBytes, walBytes }: Figures): string {
  const all = sizeText(usedBytes + freeBytes + walBytes);
  return `${all} on the disk: ${countText(blocks)} blocks, ${sizeText(usedBytes)} in use, ${sizeText(freeBytes)}`;
}
