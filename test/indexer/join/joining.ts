// Parts of lines for a joiner, made as Docker makes them, and what comes out, in brief.

import { type JoinedLine, type JoinerLimits, LineJoiner } from '#indexer/join/joiner.ts';
import type { Batch } from '#shared/record/record.ts';
import { batch, documentOf, entryOf } from '../parse/documents.ts';

export const limits: JoinerLimits = { timeoutMs: 5000, lineBytesMax: 1000, bytesMax: 100_000 };

export interface Given {
  readonly line?: string;
  readonly text?: string;
  readonly last?: boolean;
  readonly ref?: string;
  readonly partition?: number;
  readonly batch?: Partial<Batch>;
  readonly extra?: object;
  readonly seconds?: number;
  readonly assignmentNumber?: number;
}

/**
 * Every part is a batch of its own, as Docker sends them; its id is its ordinal and its line, its index 3, its ref its
 * text.
 */
export class Joining {
  readonly joiner: LineJoiner<string>;
  nowMs = 0;

  constructor(some: Partial<JoinerLimits> = {}) {
    this.joiner = new LineJoiner<string>({ ...limits, ...some });
  }

  part(ordinal: number, given: Given = {}): ReturnType<typeof brief>[] {
    const { line = 'l', text = `${line}${ordinal} `, last = false, ref = text } = given;
    const { partition = 0, assignmentNumber = 1 } = given;
    const record = {
      log: text,
      container_id: 'c',
      partial_message: 'true',
      partial_id: line,
      partial_ordinal: String(ordinal),
      partial_last: String(last),
      ...given.extra,
    };
    const own: Batch = { ...batch, id: idOf(ordinal, line), seq: ordinal * 1000, receivedMs: ordinal, ...given.batch };
    const entry = entryOf(record, given.seconds ?? ordinal);
    const lines = this.joiner.add({ partition, assignmentNumber, batch: own, index: 3, ref }, entry, this.nowMs);
    return lines?.map(brief) ?? [{ text: 'repeat', name: '', partial: false, refs: [] }];
  }

  after(ms: number): ReturnType<typeof brief>[] {
    this.nowMs += ms;
    return [...this.joiner.expire(this.nowMs)].map(brief);
  }
}

export function idOf(ordinal: number, line = ''): Buffer {
  const id = Buffer.alloc(16, ordinal);
  id.write(line, 8);
  given.add(id.toHex());
  return id;
}

/** Ids that parts have. */
const given = new Set<string>();

/** Text, last part's name ("?" for one that no part has), mark, refs. */
function brief(line: JoinedLine<string>): { text: unknown; name: string; partial: boolean; refs: readonly string[] } {
  const { message } = documentOf(line.entry, { batch: line.batch, index: line.index, partial: line.partial });
  const name = given.has(line.batch.id.toHex()) && line.index === 3 ? String(line.batch.id[0]) : '?';
  return { text: message, name, partial: line.partial, refs: line.refs };
}

export const whole = (text: string, name: string, ...refs: string[]): object => ({ text, name, partial: false, refs });
export const partial = (text: string, name: string, ...refs: string[]): object => ({ text, name, partial: true, refs });
