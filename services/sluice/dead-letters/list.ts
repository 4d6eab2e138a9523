// `sluice dead-letters list`: a line for each dead letter that was not replayed, oldest first.

import { parseArgs } from 'node:util';
import { SluiceError } from '#shared/errors.ts';
import { readDeadLetters, surveyDeadLetters } from '#shared/queue/dead-letter-reader.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { observeInWords } from '#shared/queue/queue-observer.ts';
import { messageLine } from '../output/message-line.ts';
import type { CommandContext } from '../process/command.ts';
import { harmless, oneLine } from '#shared/harmless.ts';
import { Output } from '../output/output.ts';
import { type DeadLetterFacts, deadLetterFacts } from './dead-letter-json.ts';
import { selectionOf, selectionOptions } from './selection.ts';

export async function run(args: string[], { config, stdout, stderr, signal, clock }: CommandContext): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      ...selectionOptions,
      tail: { type: 'string', short: 'n' },
      all: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const tail = tailOf(values.tail);
  const selection = selectionOf(values, clock.epochMs());
  const warn = (line: string): void => void stderr.write(messageLine(line));
  await using queue = await openQueue(config, { clock, readOnly: true, observer: observeInWords(warn) });
  const output = new Output({ stdout, stderr });
  const print = (facts: DeadLetterFacts): Promise<void> => output.write(line(facts));

  const survey = await surveyDeadLetters(queue, selection.fromMs, signal);
  const last = new LastDeadLetters(tail);
  for await (const letter of readDeadLetters(queue, selection, { survey, signal })) {
    if (output.closed) break;
    const isReplayed = survey.replayed.has(letter);
    if (isReplayed && !values.all) continue;
    const facts = deadLetterFacts(letter, isReplayed);
    if (tail === Infinity) await print(facts);
    else last.add(facts);
  }
  for (const facts of last.inOrder()) await print(facts);
  return 0;

  function line(facts: DeadLetterFacts): string {
    const { id, time, reason, tag, error, replayed, missing_bytes: missing } = facts;
    const notes = [
      ...(missing > 0 ? [`(parts are missing: ${missing} bytes)`] : []),
      ...(replayed ? ['(replayed)'] : []),
    ];
    const text = values.json
      ? JSON.stringify(facts)
      : [id, time, oneLine(reason), oneLine(tag ?? '-'), error.replaceAll(/\s+/g, ' '), ...notes].join('  ');
    return `${stdout.isTTY === true ? harmless(text) : text}\n`;
  }
}

function tailOf(text: string | undefined): number {
  if (text === undefined || text === 'all') return Infinity;
  const tail = Number(text);
  if (Number.isSafeInteger(tail) && tail >= 0) return tail;
  throw new SluiceError('usage_wrong', `Cannot show the last "${text}" letters: give a number, or all`);
}

/** The newest so many, whatever order the partitions come in. */
class LastDeadLetters {
  readonly #max: number;
  #letters: DeadLetterFacts[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  add(letter: DeadLetterFacts): void {
    this.#letters.push(letter);
    if (this.#letters.length > 2 * this.#max + 100) this.#letters = this.inOrder();
  }

  inOrder(): DeadLetterFacts[] {
    const ordered = this.#letters.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    return ordered.slice(Math.max(0, ordered.length - this.#max));
  }
}
