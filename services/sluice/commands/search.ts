// `sluice search`: full-text search over the store, newest first, so that nobody has to scroll to the latest and
// `| head` makes sense.

import { parseArgs } from 'node:util';
import { SluiceError } from '#shared/errors.ts';
import { openStore } from '#shared/open/open-store.ts';
import type { StoredDocument, StoreQuery } from '#shared/store/store.ts';
import type { CommandContext } from '../process/command.ts';
import { messageText, originName, timestampText } from '../output/document-text.ts';
import { harmless } from '#shared/harmless.ts';
import { jsonLine } from '../output/log-printer.ts';
import { Output } from '../output/output.ts';
import { countArgument } from './logs.ts';
import { timeArgument } from '../dead-letters/time-argument.ts';

export const help = `Usage: sluice search QUERY [OPTIONS]

Finds documents whose message or attributes hold all words of QUERY, newest first. "Quoted words" must stand in a row,
word* is the beginning of a word, case does not matter. No other sign has a meaning, so no query is wrong.

  sluice search timeout upstream --since 1h
  sluice search '"connection refused" 10.0.0.*' --name 'web-*'

Options:
  -n, --limit N       At most N documents, or all (default: 100)
      --since TIME    At or after: 10m, 2h30m (ago), 2026-03-01T12:00:00Z, or Unix seconds
      --until TIME    Before
      --name NAME     Of one container, service or tag; * stands for anything
      --json          Whole documents, one a line, as stored
      --config FILE   Configuration: which store
`;

const OPTIONS = {
  limit: { type: 'string', short: 'n', default: '100' },
  since: { type: 'string' },
  until: { type: 'string' },
  name: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  if (positionals.length === 0)
    throw new SluiceError('usage_wrong', 'Cannot search: give a QUERY; see sluice search --help');
  const { signal, clock, config } = context;
  const nowMs = clock.epochMs();
  const query: Omit<StoreQuery, 'limit'> = {
    text: positionals.join(' '),
    order: 'newest',
    ...(values.name === undefined ? {} : { name: values.name }),
    ...(values.since === undefined ? {} : { since: timeArgument('--since', values.since, nowMs) }),
    ...(values.until === undefined ? {} : { until: timeArgument('--until', values.until, nowMs) }),
  };
  const output = new Output(context);
  const limit = countArgument('--limit', values.limit);
  let left = limit;
  await using store = await openStore(config, { readOnly: true, clock });
  try {
    const toTerminal = output.stdout.isTTY === true;
    for await (const { documents } of store.pages({ ...query, limit }, signal)) {
      await output.write(
        documents
          .map((document) => (values.json ? jsonLine(document, output.stdout) : resultLine(document, toTerminal)))
          .join(''),
      );
      left -= documents.length;
      if (output.closed) break;
    }
    if (left === 0 && output.stderr.isTTY === true) await output.write('(there may be more: -n)\n', output.stderr);
    return 0;
  } catch (error) {
    if (signal.aborted) return 1;
    throw error;
  }
}

function resultLine(document: StoredDocument, toTerminal: boolean): string {
  const text = `${timestampText(document)} ${originName(document)} | ${messageText(document)}`;
  return `${toTerminal ? harmless(text) : text}\n`;
}
