// `some-program | sluice pipe --tag T`: sends the lines of standard input to a running Sluice, and ends when all of
// them are acknowledged.

import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { reasonOf } from '#shared/errors.ts';
import { messageLine } from '../../output/message-line.ts';
import { Output } from '../../output/output.ts';
import type { CommandContext } from '../../process/command.ts';
import { finishSend, planSend, sendHelp, sendOptions } from '../../send/send-options.ts';
import { StreamLines } from '../../send/stream-lines.ts';

export const help = `Usage: PROGRAM | sluice pipe --tag TAG [--to ADDRESS] [--timeout SECONDS] [--config FILE]

Sends the lines of standard input to a running Sluice, by its Forward input, each until it is acknowledged.
While it cannot be reached, up to 8 MiB of lines wait here, and then the program that writes them.
Exit code 0: all lines are acknowledged; 1: they are not, and standard error says how many.

${sendHelp}`;

/** Who stops the program too wants its last words; a program that goes on is not waited for. */
const LAST_WORDS_MS = 5000;

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values } = parseArgs({ args, options: sendOptions });
  const { config, clock, signal } = context;
  const output = new Output(context);
  const tell = (text: string): void => void output.write(messageLine(text), output.stderr);
  const plan = planSend(values, { config, clock, verb: 'pipe', tell });
  const { sender } = plan;
  const lines = new StreamLines({ fields: { 'host.name': hostname() }, clock, give: (run) => sender.push(run) });
  const input = process.stdin;
  const isOver = new AbortController();
  signal.addEventListener('abort', () => clock.timer(LAST_WORDS_MS, () => isOver.abort()));
  const cut = await readTo(input, isOver.signal, async (piece) => {
    lines.take(piece);
    await sender.room(isOver.signal);
  });
  lines.end();
  const isHeld = await finishSend(plan, { clock, output, stop: isOver.signal });
  if (cut !== null) tell(`Cannot read all of standard input: ${cut}`);
  return isHeld && cut === null ? 0 : 1;
}

/** Null at the end of the stream; else why it is read no further. */
async function readTo(
  input: NodeJS.ReadableStream,
  over: AbortSignal,
  take: (piece: Buffer) => Promise<void>,
): Promise<string | null> {
  const stop = (): void => {
    if ('destroy' in input && typeof input.destroy === 'function') input.destroy();
  };
  over.addEventListener('abort', stop);
  try {
    for await (const piece of input) await take(Buffer.from(piece));
  } catch (error) {
    if (!over.aborted) return reasonOf(error);
  }
  return over.aborted ? 'it was stopped, and the program goes on' : null;
}
