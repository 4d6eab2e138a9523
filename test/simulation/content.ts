// What a sender of the simulation sends: numbered events in chunks, among them split lines, stack traces, and what is
// refused.

import type { Line, SimChunk, SimEvent, Trace } from './events.ts';
import type { WallClock } from './machine/process.ts';
import type { Random } from './machine/random.ts';
import type { Oracle } from './oracle/oracle.ts';

/** What a sender sends, and when, ms from the start. */
export interface Due {
  readonly chunk: SimChunk;
  readonly atMs: number;
}

interface Content {
  readonly name: string;
  readonly hasId: boolean;
  /** One event a chunk, and some lines in parts. */
  readonly isDocker: boolean;
  readonly durationMs: number;
  /** Of the sender; null for one that knows no time. */
  readonly wall: WallClock | null;
}

/** Makes up a sender's chunks. */
export function contentOf({ oracle }: { readonly oracle: Oracle }, random: Random, content: Content): Due[] {
  const { name, hasId, isDocker, durationMs, wall } = content;
  const dues: Due[] = [];
  const chunks = random.integer(4, 14);
  const tag = random.chance(0.5) ? 'app' : `app.${name}`;
  let atMs = random.between(0, 1000);
  const start = (): SimChunk => {
    const chunk: SimChunk = {
      name: `${name}.${dues.length};`,
      sender: name,
      tag,
      hasId,
      events: [],
      timeMs: wall?.epochMs(atMs) ?? 0,
      sends: 0,
      addresses: new Set(),
      acked: false,
    };
    oracle.chunks.push(chunk);
    dues.push({ chunk, atMs });
    return chunk;
  };
  const put = (chunk: SimChunk, line: Line | null, trace: Trace | null = null): void => {
    const number = oracle.nextNumber;
    // One of a chunk at most: what is packed to less than 16 KiB is unpacked in place, and not by threads that have an
    // order of their own.
    const isPlain = line === null && trace === null;
    const isHuge = isPlain && random.chance(0.004) && !chunk.events.some((event) => event.isHuge);
    const poison = isPlain && random.chance(0.03);
    const isPoison = poison && random.chance(0.5);
    const mark = poison ? (isPoison ? 'poison-always ' : 'poison-once ') : '';
    const padding = isHuge ? noise(random, 20_000) : 'x'.repeat(random.integer(0, 300));
    const said = `event ${number} ${mark}${padding}`;
    const text = trace === null ? said : lineOfTrace(said, trace.lines.length);
    const event: SimEvent = { number, text, chunk, isPoison, isHuge, line, trace };
    chunk.events.push(event);
    line?.parts.push(event);
    trace?.lines.push(event);
    oracle.add(event);
  };
  while (dues.length < chunks) {
    if (isDocker && random.chance(0.5)) {
      const line: Line = { id: `line-${name}-${dues.length}`, parts: [] };
      for (let parts = random.integer(2, 4); parts > 0; parts--) put(start(), line);
    } else if (random.chance(0.2)) {
      // Of Docker a chunk each, of others all in one.
      const trace: Trace = { lines: [] };
      const chunk = start();
      put(chunk, null, trace);
      for (let lines = random.integer(1, 5); lines > 0; lines--) put(isDocker ? start() : chunk, null, trace);
    } else {
      const chunk = start();
      const count = isDocker ? 1 : random.chance(0.1) ? random.integer(20, 60) : random.integer(1, 8);
      for (let i = 0; i < count; i++) put(chunk, null);
    }
    atMs += random.between(0, (2 * durationMs) / chunks);
  }
  return dues;
}

/** The first opens a trace; of the others every third is one that belongs to any trace, but opens none. */
function lineOfTrace(said: string, place: number): string {
  if (place === 0) return `java.lang.Error: ${said}`;
  return place % 3 === 0 ? `  ${said}` : `\tat a.B.c(${said})`;
}

/** Nothing that compresses well. */
function noise(random: Random, length: number): string {
  let text = '';
  while (text.length < length) text += Math.floor(random.next() * 2 ** 48).toString(36);
  return text;
}
