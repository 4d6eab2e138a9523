// `sluice exec --tag T -- PROGRAM…`: runs a program, sends what it writes to a running Sluice, and ends as it ends.

import { hostname } from 'node:os';
import type { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import type { Clock } from '#shared/clock.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import { messageLine } from '../../output/message-line.ts';
import { Output, type OutputStream } from '../../output/output.ts';
import { type ChildProgram, exitCodeOf, startProgram } from '../../process/child-program.ts';
import type { CommandContext } from '../../process/command.ts';
import type { ForwardSender } from '../../send/forward-sender.ts';
import { finishSend, planSend, type SendPlan, sendHelp, sendOptions } from '../../send/send-options.ts';
import { StreamLines } from '../../send/stream-lines.ts';

export const help = `Usage: sluice exec --tag TAG [--quiet] [--to ADDRESS] [--timeout SECONDS] -- PROGRAM…

Runs a program, and sends the lines of its standard output and standard error to a running Sluice, by its Forward input,
each until it is acknowledged. What it writes is shown here too. Its standard input, environment and signals are ours.
While Sluice cannot be reached, up to 8 MiB of lines wait here, and then the program, when it writes.
Exit code: the program's (128 and the signal's number if one ended it); 1 where that is 0 and lines are not
acknowledged; 126 or 127 if the program cannot be run.

${sendHelp}  -q, --quiet        Does not show what the program writes
`;

const options = { ...sendOptions, quiet: { type: 'boolean', short: 'q' } } as const;

/** Who gives no time at the end still has what is in the pipes. */
const LOOK_MS = 100;

export async function run(args: string[], context: CommandContext): Promise<number> {
  const end = args.indexOf('--');
  const command = end < 0 ? [] : args.slice(end + 1);
  const { values } = parseArgs({ args: end < 0 ? args : args.slice(0, end), options });
  if (command.length === 0) {
    throw new SluiceError('usage_wrong', 'Cannot run a program: give it behind `--`; see --help');
  }
  const { config, clock, stdout, stderr } = context;
  const output = new Output(context);
  const tell = (text: string): void => void output.write(messageLine(text), output.stderr);
  const plan = planSend(values, { config, clock, verb: 'run a program', tell });
  const { sender } = plan;
  let program: ChildProgram;
  try {
    program = await startProgram(command, stdout.isTTY === true || stderr.isTTY === true);
  } catch (error) {
    tell(reasonOf(error));
    await sender.finish(AbortSignal.abort());
    return exitCodeOf(error);
  }
  const shown = (stream: OutputStream): OutputStream | null => (values.quiet === true ? null : stream);
  // Nothing is read any more; and nothing is waited for.
  const over = new AbortController();
  const stop = new AbortController();
  const copying = { ...context, sender, tell, over: over.signal };
  let isCopied = false;
  const copied = Promise.all([
    copy(copying, { from: program.stdout, source: 'stdout', to: shown(stdout) }),
    copy(copying, { from: program.stderr, source: 'stderr', to: shown(stderr) }),
  ]).finally(() => (isCopied = true));
  const code = await program.exited;
  // From now on a signal is for us, though what the program has started may still write.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => (isCopied ? stop : over).abort());
  }
  {
    using _limit = whenStuck(plan, clock, () => {
      over.abort();
      stop.abort();
    });
    await copied;
  }
  const isHeld = await finishSend(plan, { clock, output, stop: stop.signal });
  return code === 0 && !isHeld ? 1 : code;
}

/** Calls it when lines wait and none was acknowledged for as long as the command waits at its end. */
function whenStuck({ sender, timeoutMs }: SendPlan, clock: Clock, stuck: () => void): Disposable {
  let { acked, unacked } = sender;
  const eachMs = Math.max(timeoutMs, LOOK_MS);
  const look = (): void => {
    if (unacked > 0 && sender.unacked > 0 && sender.acked === acked) return stuck();
    ({ acked, unacked } = sender);
    timer = clock.timer(eachMs, look);
  };
  let timer = clock.timer(eachMs, look);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

interface Copied {
  readonly from: Readable;
  readonly source: 'stdout' | 'stderr';
  /** Where it is shown, if anywhere. */
  readonly to: OutputStream | null;
}

interface Copying {
  readonly sender: ForwardSender;
  readonly clock: Clock;
  readonly tell: (text: string) => void;
  readonly over: AbortSignal;
}

async function copy({ sender, clock, tell, over }: Copying, { from, source, to }: Copied): Promise<void> {
  const fields = { source, 'host.name': hostname() };
  const lines = new StreamLines({ fields, clock, give: (run) => sender.push(run) });
  // Each of its own: who closes one of ours still reads the other.
  const shown = to === null ? null : new Output({ stdout: to, stderr: to });
  const stop = (): void => void from.destroy();
  over.addEventListener('abort', stop);
  try {
    for await (const piece of from) {
      lines.take(Buffer.from(piece));
      // A disk that is full is no reason to lose lines.
      await shown?.write(Buffer.from(piece)).catch(() => undefined);
      await sender.room(over);
    }
  } catch (error) {
    const why = over.aborted ? 'it was stopped' : reasonOf(error);
    tell(`Cannot read all that is written to ${source}: ${why}`);
  }
  lines.end();
}
