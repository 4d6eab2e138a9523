// Which dead letters are to be erased, and erasing them: in the embedded queue by whoever has it. Kafka keeps single
// records for as long as their topic says.

import { openQueue } from '#shared/open/open-queue.ts';
import { deadLetterName, readDeadLetter, type ReadDeadLetter } from '#shared/queue/dead-letter.ts';
import { readDeadLetters, surveyDeadLetters } from '#shared/queue/dead-letter-reader.ts';
import { observeInWords } from '#shared/queue/queue-observer.ts';
import type { Queue } from '#shared/queue/queue.ts';
import { SluiceError } from '#shared/errors.ts';
import type { EraseQuery } from '#shared/store/erase.ts';
import { EntryJson } from '../output/event-json.ts';
import type { CommandContext } from '../process/command.ts';
import { matchDeadLetter } from './dead-letter-match.ts';
import { askToErase, OFFSETS_MAX } from './erase-request.ts';

export interface FoundDeadLetters {
  readonly kind: Queue['kind'];
  readonly letters: number;
  /** In the embedded queue: of all of their fragments. */
  readonly offsets: readonly number[];
  /** Names of those that hold events of others too, or that cannot be looked into. */
  readonly unknown: readonly string[];
}

const NAMED_MAX = 20;

/** Reads beside whoever has the queue. Null where there is no queue yet. */
export async function findDeadLetters(
  { config, clock, signal }: CommandContext,
  query: EraseQuery,
  warn: (line: string) => void,
): Promise<FoundDeadLetters | null> {
  const queue = await openQueue(config, { clock, readOnly: true, observer: observeInWords(warn) }).catch(noQueue);
  if (queue === null) return null;
  await using reading = queue;
  const fragments = await fragmentsOf(reading, signal);
  const survey = await surveyDeadLetters(reading, undefined, signal);
  const json = new EntryJson();
  const offsets: number[] = [];
  const unknown: string[] = [];
  let letters = 0;
  for await (const letter of readDeadLetters(reading, {}, { survey, signal })) {
    const match = matchDeadLetter(letter, query, () => recordOf(json, letter));
    if (match === 'unknown' && unknown.length < NAMED_MAX) unknown.push(deadLetterName(letter));
    if (match !== 'yes') continue;
    letters++;
    offsets.push(...(fragments.get(deadLetterName(letter)) ?? [letter.offset]));
  }
  return { kind: reading.kind, letters, offsets, unknown };
}

/** By the name of each fragment, the offsets of all of its dead letter. */
async function fragmentsOf(queue: Queue, signal: AbortSignal): Promise<Map<string, number[]>> {
  const wholes = new Map<string, number[]>();
  const named = new Map<string, number[]>();
  for await (const record of queue.read({ topic: 'dead-letters', signal })) {
    const read = readDeadLetter(record);
    if (read.kind !== 'fragment') continue;
    const id = `${read.partition}/${Buffer.from(read.fragment.id).toString('hex')}`;
    const offsets = wholes.get(id) ?? [];
    offsets.push(read.offset);
    wholes.set(id, offsets);
    named.set(deadLetterName(read), offsets);
  }
  return named;
}

function recordOf(json: EntryJson, { value }: ReadDeadLetter): unknown {
  try {
    return (JSON.parse(`{${json.members(value)}}`) as { record?: unknown }).record ?? null;
  } catch {
    return null;
  }
}

/** Resolves to how many records were erased. */
export async function eraseFound(context: CommandContext, offsets: readonly number[]): Promise<number> {
  if (offsets.length === 0) return 0;
  const { config, clock, signal } = context;
  const queue = await openQueue(config, { clock, observer: observeInWords(() => undefined) }).catch(lockedQueue);
  let erased = 0;
  try {
    for (let at = 0; at < offsets.length; at += OFFSETS_MAX) {
      const some = offsets.slice(at, at + OFFSETS_MAX);
      erased += queue === null ? await askToErase(config, some, signal) : ((await queue.eraseDeadLetters?.(some)) ?? 0);
    }
  } finally {
    await queue?.[Symbol.asyncDispose]();
  }
  return erased;
}

function noQueue(error: unknown): null {
  if (error instanceof SluiceError && error.code === 'data_dir_unusable') return null;
  throw error;
}

function lockedQueue(error: unknown): null {
  if (error instanceof SluiceError && error.code === 'data_dir_locked') return null;
  throw error;
}
