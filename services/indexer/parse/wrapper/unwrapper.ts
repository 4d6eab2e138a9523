// An entry whose line was sent raw, with what a container runtime or the journal put around it, becomes the entry that
// a log driver would have sent: the text alone, its stream, its time. From there on it is an entry like any other.
//
//   [read time, {message: "2026-11-20T10:00:00.5Z stdout F text", path}]  →  [time, {message: "text", path, stream}]
//
// It is done once: what a program itself prints in this shape stays its text. So does what a driver sent, which told
// the stream, or that the line is a part of another, and what a reader of the journal sent. Anybody could else write a
// line that takes another time, container and level for itself.
//
// Guarantees: an entry that is left alone costs a look at the first bytes of its text. What the line says is in
// the new entry, its text and pairs, but for a pair whose key the record has too. Linear; one
// buffer serves all entries.

import { containerChildren, containerHeaderSize } from '#shared/msgpack/extents.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import type { Entry } from '../entry.ts';
import { isText, pastValue, textEnd, textStart } from '../fields.ts';
import { BRACE, isDigit } from '../line/scan.ts';
import * as names from '../names.ts';
import { streamNameOf } from './stream-name.ts';
import { readCri } from './cri-line.ts';
import { DockerLines, isDockerRecord } from './docker-line.ts';
import { JournalLines } from './journal-line.ts';
import { WrappedLine } from './wrapped-line.ts';

/** A buffer above this is not kept. */
const KEPT = 1024 * 1024;

export class Unwrapper {
  /** Of the entry that was read last. */
  readonly line = new WrappedLine();
  readonly #docker = new DockerLines();
  readonly #journal = new JournalLines();
  readonly #writer = new MsgpackWriter();

  /** The new entry, until the next call; null where the line of the entry that was found is not wrapped. */
  read(entry: Entry): Buffer | null {
    const { root, bytes } = entry;
    const { values } = root;
    if (values[names.STREAM] !== 0) {
      const at = values[names.PLAIN_TIME] === 0 ? 0 : root.findText(bytes, names.messageNames);
      return at !== 0 && isDockerRecord(entry, at, this.line) ? this.#write(entry, at) : null;
    }
    // A driver told which container it is of: the text is what a program wrote.
    if (values[names.PART_NAME] !== 0 || values[names.JOURNAL_CONTAINER] !== 0) return null;
    const at = root.findText(bytes, names.messageNames);
    if (at === 0) return null;
    const start = textStart(bytes, at);
    const first = bytes[start]!;
    if (first !== BRACE && !isDigit(first)) return null;
    for (const name of names.readerNames) if (values[name] !== 0) return null;
    if (hasStreamAsSource(entry) || !this.#readText(bytes, start, textEnd(bytes, at))) return null;
    return this.#write(entry, at);
  }

  #readText(bytes: Uint8Array, start: number, end: number): boolean {
    const { line } = this;
    if (bytes[start] !== BRACE) return readCri(bytes, start, end, line);
    return this.#docker.read(bytes, start, end, line) || this.#journal.read(bytes, start, end, line);
  }

  /** `textAt`: where the value is in whose place the text is put. */
  #write(entry: Entry, textAt: number): Buffer {
    const { bytes, recordAt, metadataAt } = entry;
    const { line } = this;
    const writer = this.#writer;
    writer.reset(KEPT);
    writer.arrayHeader(2);
    if (metadataAt !== 0) writer.arrayHeader(2);
    writer.eventTime(line.seconds, line.nanos);
    if (metadataAt !== 0) writer.raw(bytes, metadataAt, pastValue(bytes, metadataAt, bytes.length));
    // Of a record that is such a line itself, its time is the entry's.
    const timeAt = line.isRecord ? entry.root.values[names.PLAIN_TIME]! : 0;
    const streams = line.stream === null || line.isRecord ? 0 : 1;
    const type = bytes[recordAt]!;
    const pairs = containerChildren(bytes, recordAt, type) / 2;
    writer.mapHeader(pairs + streams + line.pairsCount - (timeAt === 0 ? 0 : 1));
    // Of a key that both have, the record's stays: who shipped the line said it.
    writer.raw(line.pairs, 0, line.pairsCount === 0 ? 0 : line.pairs.length);
    let at = recordAt + containerHeaderSize(type);
    for (let left = pairs; left > 0; left -= 1) {
      const valueAt = pastValue(bytes, at, bytes.length);
      const end = pastValue(bytes, valueAt, bytes.length);
      if (valueAt !== timeAt) {
        writer.raw(bytes, at, valueAt);
        if (valueAt === textAt) writer.stringBytes(line.bytes, line.start, line.end);
        else writer.raw(bytes, valueAt, end);
      }
      at = end;
    }
    if (streams > 0) {
      writer.string('stream');
      writer.string(line.stream ?? '');
    }
    return writer.view();
  }
}

/** Whether Docker's driver sent it, which calls the stream so: then the text is what a program wrote. */
function hasStreamAsSource({ root, bytes }: Entry): boolean {
  const at = root.values[names.SOURCE]!;
  return at !== 0 && isText(bytes[at]!) && streamNameOf(bytes, textStart(bytes, at), textEnd(bytes, at)) !== null;
}
