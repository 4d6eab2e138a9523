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
/** Of documents of which the store does not know any more where they come from: an import takes none without. */
const STAND_IN = 'logs-sluice.origin_lost-default';

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
  let [documents, damages, strays] = [0, 0, 0];
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
    for await (const written of lines(store.files, query, output)) {
      documents += written.documents;
      if (strays === 0 && written.strays > 0)
        warn(`Where some documents come from is damaged: they are exported as of ${STAND_IN}`);
      strays += written.strays;
      if (output.closed || signal.aborted) break;
    }
  }
  if (output.closed) return 0;
  const isCut = damages > (strays > 0 ? 1 : 0);
  const lost = strays > 0 ? `Of ${countText(strays)}, nobody knows where they come from` : '';
  const what = signal.aborted ? 'It was stopped; these are not all' : isCut ? 'Some cannot be read' : lost;
  await output.write(messageLine(`${countText(documents)} documents exported${what && `. ${what}`}`), stderr);
  return what === '' ? 0 : 1;
}

/** How many more were written; `strays`: of those, documents that come from nowhere. */
interface Written {
  readonly documents: number;
  readonly strays: number;
}

async function* lines(files: StoreFiles, query: StoreQuery, output: Output): AsyncGenerator<Written, void, void> {
  const { oldDocuments } = await files.summary();
  if (oldDocuments > 0)
    throw new SluiceError(
      'store_unavailable',
      `Cannot export: ${countText(oldDocuments)} documents of an earlier version are not converted yet; ` +
        'wait, or run `sluice store compact`',
    );
  const toTerminal = output.stdout.isTTY === true;
  for await (const documents of files.documents(query)) {
    let text = '';
    let strays = 0;
    for (const document of documents) {
      const isStray = document.stream === '';
      const line = documentLine(isStray ? { ...document, stream: STAND_IN } : document);
      text += toTerminal ? harmless(line) : line;
      if (isStray) strays += 1;
      if (text.length < WRITTEN_CHARACTERS) continue;
      await output.write(text);
      text = '';
    }
    await output.write(text);
    yield { documents: documents.length, strays };
  }
}

function whereOf(text: string, nowMs: number): NonNullable<StoreQuery['where']> {
  const { where, stages } = readQuery(text, nowMs);
  if (stages.length > 0)
    throw new SluiceError('usage_wrong', 'Cannot export: --where takes no stages behind a bar; see docs/search.md');
  return where;
}
