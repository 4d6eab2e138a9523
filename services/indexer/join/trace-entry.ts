// The entry of a stack trace: that of its first line, with the text of all lines in place of its own. Pure.

import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { textEnd, textStart } from '../parse/fields.ts';

export interface TraceText {
  readonly entry: Uint8Array;
  /** Where the value with the line begins in the entry. */
  readonly lineAt: number;
}

const LINE_BREAK = Uint8Array.of(0x0a);

/** Lines that have no line break of their own are given one, but for the last. */
export function traceEntry(lines: readonly [TraceText, ...TraceText[]]): Uint8Array {
  const [{ entry, lineAt }] = lines;
  const pieces: Uint8Array[] = [];
  for (const [i, line] of lines.entries()) {
    const text = line.entry.subarray(textStart(line.entry, line.lineAt), textEnd(line.entry, line.lineAt));
    pieces.push(text);
    if (i < lines.length - 1 && text.at(-1) !== LINE_BREAK[0]) pieces.push(LINE_BREAK);
  }
  const text = Buffer.concat(pieces);
  const writer = new MsgpackWriter(entry.length + text.length + 8);
  writer.raw(entry, 0, lineAt);
  writer.stringBytes(text);
  writer.raw(entry, textEnd(entry, lineAt), entry.length);
  return writer.view();
}
