// A replay by the process that has the embedded queue: requested and reported over the admin address.
//
//   POST /dead-letters/replay   {"selection":{"reason":…,"fromMs":…,"toMs":…},"again":false}
//   200  a report as JSON every two seconds, a line each; the last line is the whole one
//
// The replay ends when the other side hangs up; what was replayed by then is marked.

import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { Replay, type ReplayOptions } from '#indexer/shells/replay.ts';
import type { AdminAction } from '#shared/net/admin-routes.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { Config } from '#shared/config/settings.ts';
import type { DeadLetterSelection } from '#shared/queue/dead-letter-reader.ts';
import { actionLines } from '../admin/action-lines.ts';
import { type ReplayReport, reportOf } from './replay-report.ts';

const PATH = '/dead-letters/replay';
const PROGRESS_MS = 2000;

const RequestBody = Type.Object(
  {
    selection: Type.Object(
      {
        reason: Type.Optional(Type.String()),
        fromMs: Type.Optional(Type.Number()),
        toMs: Type.Optional(Type.Number()),
      },
      { additionalProperties: false },
    ),
    again: Type.Boolean(),
  },
  { additionalProperties: false },
);

/** The action of a service that has queue and store. One replay at a time. */
export function replayAction(options: Omit<ReplayOptions, 'selection' | 'again' | 'signal'>): AdminAction {
  let isRunning = false;
  return {
    path: PATH,
    about: 'POST: another try for dead letters; asked by `sluice dead-letters replay` from this machine',
    async *run(body, signal) {
      if (!Value.Check(RequestBody, body))
        throw new SluiceError('request_malformed', 'Cannot replay: the request is no such one');
      if (isRunning) throw new SluiceError('intake_full', 'Cannot replay: another replay is under way');
      isRunning = true;
      try {
        yield* reports(new Replay({ ...options, ...body, signal }), options);
      } finally {
        isRunning = false;
      }
    },
  };
}

async function* reports(replay: Replay, { clock }: Pick<ReplayOptions, 'clock'>): AsyncGenerator<string, void, void> {
  const over = new AbortController();
  const ended = replay
    .run()
    .then(
      () => reportOf(replay, null),
      (error: unknown) => reportOf(replay, reasonOf(error)),
    )
    .finally(() => over.abort());
  try {
    while (!over.signal.aborted) {
      await clock.sleep(PROGRESS_MS, over.signal).catch(() => undefined);
      if (!over.signal.aborted) yield lineOf(reportOf(replay, null));
    }
    yield lineOf(await ended);
  } finally {
    // A reader that stops has hung up, which ends the replay.
    await ended;
  }
}

function lineOf(report: ReplayReport): string {
  return `${JSON.stringify(report)}\n`;
}

interface Asked {
  readonly signal: AbortSignal;
  readonly tell: (report: ReplayReport) => void;
}

/** Has the process that listens on `listen` replay. Resolves to its last report. */
export async function askToReplay(
  config: Config,
  what: { readonly selection: DeadLetterSelection; readonly again: boolean },
  { signal, tell }: Asked,
): Promise<ReplayReport> {
  const listen = config['admin.listen'];
  let last: ReplayReport | null = null;
  try {
    for await (const line of actionLines(config, { path: PATH, what: 'replay', body: what, signal })) {
      if (last !== null) tell(last);
      last = JSON.parse(line) as ReplayReport;
    }
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError(
      'data_dir_locked',
      `Cannot replay: another sluice process has the queue, and cannot be asked on ${listen} (${reasonOf(error)}). Stop that one, then try again.`,
      { cause: error },
    );
  }
  if (last === null)
    throw new SluiceError('queue_unavailable', `Cannot replay: the process on ${listen} gave no answer`);
  return last;
}
