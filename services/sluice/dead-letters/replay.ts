// `sluice dead-letters replay`: by this process, or, where the embedded queue belongs to a running `sluice run`, by
// that one.

import { parseArgs } from 'node:util';
import { Replay } from '#indexer/shells/replay.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { readDeadLetters, surveyDeadLetters, type DeadLetterSelection } from '#shared/queue/dead-letter-reader.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { observeInWords } from '#shared/queue/queue-observer.ts';
import type { Queue } from '#shared/queue/queue.ts';
import { openStore } from '#shared/open/open-store.ts';
import { messageLine } from '../output/message-line.ts';
import type { CommandContext } from '../process/command.ts';
import { errorsOnly } from '../output/errors-only.ts';
import { askToReplay } from './replay-request.ts';
import { type ReplayReport, progressLine, readable, reportOf, summary } from './replay-report.ts';
import { selectionOf, selectionOptions } from './selection.ts';

const PROGRESS_MS = 2000;

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { config, clock, signal, stdout, stderr } = context;
  const { values } = parseArgs({
    args,
    options: { ...selectionOptions, again: { type: 'boolean', default: false }, 'dry-run': { type: 'boolean' } },
  });
  const selection = selectionOf(values, clock.epochMs());
  const { again } = values;
  const warn = (line: string): void => void stderr.write(messageLine(line));
  if (values['dry-run']) {
    await using queue = await openQueue(config, { clock, readOnly: true, observer: observeInWords(warn) });
    stdout.write(await plan(queue, selection, { again, signal }));
    return 0;
  }
  const tell = (report: ReplayReport): void => void stderr.write(`${progressLine(report)}\n`);
  const report = await replayHere(context, { selection, again, tell, warn }).catch((error: unknown) => {
    if (!(error instanceof SluiceError) || error.code !== 'data_dir_locked') throw error;
    return askToReplay(config, { selection, again }, { signal, tell });
  });
  stdout.write(summary(report));
  return report.failed > 0 || report.stopped !== null ? 1 : 0;
}

interface Here {
  readonly selection: DeadLetterSelection;
  readonly again: boolean;
  readonly tell: (report: ReplayReport) => void;
  readonly warn: (line: string) => void;
}

/** Rejects with data_dir_locked, before anything is done, where another process has the queue. */
async function replayHere({ config, clock, signal }: CommandContext, here: Here): Promise<ReplayReport> {
  const { selection, again, tell, warn } = here;
  await using queue = await openQueue(config, { clock, observer: observeInWords(warn) });
  await queue.opened(signal);
  await using store = await openStore(config);
  await store.ping(signal);
  const replay = new Replay({
    config,
    queue,
    store,
    clock,
    selection,
    again,
    signal,
    log: errorsOnly(warn),
    random: Math.random,
  });
  const ticker = setInterval(() => tell(reportOf(replay, null)), PROGRESS_MS);
  try {
    await replay.run();
    return reportOf(replay, null);
  } catch (error) {
    return reportOf(replay, reasonOf(error));
  } finally {
    clearInterval(ticker);
  }
}

/** What would be replayed, by reason. */
async function plan(
  queue: Queue,
  selection: DeadLetterSelection,
  { again, signal }: { again: boolean; signal: AbortSignal },
): Promise<string> {
  const survey = await surveyDeadLetters(queue, selection.fromMs, signal);
  const reasons = new Map<string, number>();
  let count = 0;
  for await (const letter of readDeadLetters(queue, selection, { survey, signal })) {
    if (!again && survey.replayed.has(letter)) continue;
    count++;
    reasons.set(letter.reason, (reasons.get(letter.reason) ?? 0) + 1);
  }
  const lines = Array.from(reasons, ([reason, letters]) => `  ${String(letters).padStart(8)}  ${readable(reason)}\n`);
  return `${count} letters would be replayed\n${lines.join('')}`;
}
