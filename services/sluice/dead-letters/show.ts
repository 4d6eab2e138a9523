// `sluice dead-letters show ID`: everything of one dead letter.

import { parseArgs } from 'node:util';
import { SluiceError } from '#shared/errors.ts';
import { deadLetterName, type ReadDeadLetter } from '#shared/queue/dead-letter.ts';
import { readDeadLetters, surveyDeadLetters, type DeadLetterSurvey } from '#shared/queue/dead-letter-reader.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { observeInWords } from '#shared/queue/queue-observer.ts';
import type { Queue } from '#shared/queue/queue.ts';
import { messageLine } from '../output/message-line.ts';
import type { CommandContext } from '../process/command.ts';
import { EntryJson } from '../output/event-json.ts';
import { Output } from '../output/output.ts';
import { harmless, oneLine } from '#shared/harmless.ts';
import { deadLetterFacts } from './dead-letter-json.ts';

export async function run(args: string[], { config, stdout, stderr, signal, clock }: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean' }, raw: { type: 'boolean' } },
  });
  const [id = '', ...more] = positionals;
  if (!/^\d+\/\d+$/.test(id) || more.length > 0) {
    throw new SluiceError('usage_wrong', 'Cannot show a letter: give its ID, such as 0/123, as `list` prints it');
  }
  const warn = (line: string): void => void stderr.write(messageLine(line));
  await using queue = await openQueue(config, { clock, readOnly: true, observer: observeInWords(warn) });
  // The process exits after this; what a slow reader has not read by then would be lost.
  const output = new Output({ stdout, stderr });
  const survey = await surveyDeadLetters(queue, undefined, signal);
  const letter = await find(queue, { id, survey, signal });
  if (letter === null) {
    warn(`Cannot show the letter ${id}: there is none; it may be past its time`);
    return 1;
  }
  if (values.raw) {
    if (stdout.isTTY === true) {
      throw new SluiceError(
        'usage_wrong',
        'Cannot show raw bytes on a terminal: redirect them into a file or a program',
      );
    }
    await output.write(letter.value);
    return 0;
  }
  const facts = deadLetterFacts(letter, survey.replayed.has(letter));
  const isWhole = !letter.cut && letter.missingBytes === 0;
  const event = letter.index === null || !isWhole ? null : `{${new EntryJson().members(letter.value)}}`;
  const text = values.json
    ? `${JSON.stringify(facts).slice(0, -1)},"event":${event ?? 'null'}}\n`
    : `${Object.entries(facts)
        .map(([name, value]) => `${name.padEnd(10)}${oneLine(String(value ?? '-'))}\n`)
        .join(
          '',
        )}event     ${event ?? 'none: it is of a whole chunk or record, or not all of it is there; see --raw'}\n`;
  await output.write(stdout.isTTY === true ? harmless(text) : text);
  return 0;
}

interface Wanted {
  readonly id: string;
  readonly survey: DeadLetterSurvey;
  readonly signal: AbortSignal;
}

async function find(queue: Queue, { id, ...reading }: Wanted): Promise<ReadDeadLetter | null> {
  for await (const letter of readDeadLetters(queue, {}, reading)) if (deadLetterName(letter) === id) return letter;
  return null;
}
