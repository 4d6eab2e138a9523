// `sluice store export`.

import { parseArgs } from 'node:util';
import { SluiceError } from '#shared/errors.ts';
import { harmless } from '#shared/harmless.ts';
import { openStoreFiles } from '#shared/open/open-store-files.ts';
import type { StoreFiles } from '#shared/store/embedded/inspect/store-files.ts';
import type { StoreQuery } from '#shared/store/store.ts';
import { timeArgument } from '../dead-letters/time-argument.ts';
import { messageLine } from '../output/message-line.ts';
import { Output } from '../output/output.ts';
import { Progress } from '../output/progress.ts';
import { countText } from '../output/progress-text.ts';
import type { CommandContext } from '../process/command.ts';
import { readQuery } from '../search/read-query.ts';
import { documentLine } from './document-line.ts';

const OPTIONS = { since: { type: 'string' }, until: { type: 'string' }, where: { type: 'string' } } as const;
/** Of lines that are written at once. */
const WRITTEN_CHARACTERS = 256 * 1024;

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const { config, clock, signal, stderr } = context;
  const nowMs = clock.epochMs();
  const query: StoreQuery = {
    ...(values.since !== undefined && { since: timeArgument('--since', values.since, nowMs) }),
    ...(values.until !== undefined && { until: timeArgument('--until', values.until, nowMs) }),
    ...(values.where !== undefined && { where: whereOf(values.where, nowMs) }),
    order: 'oldest',
    limit: Infinity,
  };
  const output = new Output(context);
  let [documents, damages] = [0, 0];
  const beganMs = clock.monotonicMs();
  {
    // On a terminal, the documents themselves show how far it is.
    const isShown = context.stdout.isTTY !== true;
    const seconds = (): number => Math.max(1, clock.monotonicMs() - beganMs) / 1000;
    using shown = isShown
      ? new Progress(
          { stderr, clock },
          () => `${countText(documents)} documents, ${countText(Math.round(documents / seconds()))}/s`,
        )
      : null;
    const warn = (line: string): void => {
      damages += 1;
      if (shown === null) stderr.write(messageLine(line));
      else shown.warn(line);
    };
    await using store = await openStoreFiles(config, { clock, readOnly: true, warn });
    for await (const count of written(store.files, query, output)) {
      documents += count;
      if (output.closed || signal.aborted) break;
    }
  }
  if (output.closed) return 0;
  const what = signal.aborted ? 'It was stopped; these are not all' : damages > 0 ? 'Some cannot be read' : '';
  await output.write(messageLine(`${countText(documents)} documents exported${what && `. ${what}`}`), stderr);
  return what === '' ? 0 : 1;
}

/** Yields how many more were written. */
async function* written(files: StoreFiles, query: StoreQuery, output: Output): AsyncGenerator<number, void, void> {
  const { oldDocuments } = await files.summary();
  if (oldDocuments > 0)
    throw new SluiceError(
      'store_unavailable',
      `Cannot export: ${countText(oldDocuments)} documents of an earlier version are not converted yet; ` +
        'wait, or run `sluice store compact`',
    );
  const toTerminal = output.stdout.isTTY === true;
  for await (const documents of files.documents(query)) {
    let lines = '';
    for (const document of documents) {
      lines += toTerminal ? harmless(documentLine(document)) : documentLine(document);
      if (lines.length < WRITTEN_CHARACTERS) continue;
      await output.write(lines);
      lines = '';
    }
    await output.write(lines);
    yield documents.length;
  }
}

function whereOf(text: string, nowMs: number): NonNullable<StoreQuery['where']> {
  const { where, stages } = readQuery(text, nowMs);
  if (stages.length > 0)
    throw new SluiceError('usage_wrong', 'Cannot export: --where takes no stages behind a bar; see docs/search.md');
  return where;
}
