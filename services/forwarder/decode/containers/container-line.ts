// A line of a container's log file, as a runtime writes it, without what the runtime wraps it in. Pure.
//
//   CRI (containerd, CRI-O)   2026-11-20T10:10:10.123456789Z stdout F the text
//                             2026-11-20T10:10:10.123456789Z stderr P a part of a longer line
//   json-file (Docker)        {"log":"the text\n","stream":"stdout","time":"2026-11-20T10:10:10.123456789Z"}
//                             {"log":"a part of a longer line","stream":"stderr","attrs":{…},"time":…}
//
// CRI: https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md; json-file: jsonlog
// of https://github.com/moby/moby/tree/master/daemon/logger/jsonfilelog. Total: what has another form is no such line.

import type { EventTime } from '#shared/record/event-time.ts';
import { fullTimeOf } from '../full-time.ts';
import { eventTimeOfIso } from '../iso-time.ts';
import { PART_BYTES } from '../files/file-entries.ts';

export interface ContainerLine {
  readonly time: EventTime;
  readonly stream: 'stdout' | 'stderr';
  /** More of the same line follows in the stream's next one. */
  readonly isPart: boolean;
  /** Where the text lies: in the bytes of the file themselves, or in others. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** Labels and variables that Docker was told to write with each line. */
  readonly attrs: Readonly<Record<string, string>> | null;
}

export interface ContainerFormat {
  /** A line whose end is not seen within so many bytes is not waited for: it passes in parts. */
  readonly lineBytesMax: number;
  /** The line in bytes[start, end), without its line feed; null for what is none. */
  unwrap(bytes: Buffer, start: number, end: number): ContainerLine | null;
  /** Where a whole line begins behind one that was torn, and has no line feed; -1: nowhere. */
  behindTorn(bytes: Buffer, start: number, end: number): number;
}

const SPACE = 0x20;
const COLON = 0x3a;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
/** Docker cuts a line where so many are full, and nowhere else. */
export const DOCKER_PART_BYTES = 16 * 1024;
/** The time, the stream and the tags. */
const HEADER_BYTES_MAX = 128;
/** What begins a line: every Docker writes its keys in this order. Within a text its quotes are escaped. */
const JSON_HEAD = '{"log":"';
/** Of an EventTime. */
export const SECONDS_END = 2 ** 32;

export const CRI: ContainerFormat = {
  // So that what is left of a longer one, without its header and a carriage return, is more than a part.
  lineBytesMax: PART_BYTES + HEADER_BYTES_MAX + 2,
  unwrap(bytes, start, end) {
    const headerEnd = Math.min(end, start + HEADER_BYTES_MAX);
    const timeEnd = spaceAt(bytes, start, headerEnd);
    const streamEnd = spaceAt(bytes, timeEnd + 1, headerEnd);
    const tagsEnd = spaceAt(bytes, streamEnd + 1, headerEnd);
    if (timeEnd === headerEnd || streamEnd === headerEnd) return null;
    // An empty line of some runtimes ends with its tag.
    if (tagsEnd === headerEnd && tagsEnd !== end) return null;
    const stream = bytes.toString('latin1', timeEnd + 1, streamEnd);
    const tag = bytes[streamEnd + 1] ?? 0;
    const tagEnd = bytes[streamEnd + 2] === COLON ? streamEnd + 2 : tagsEnd;
    const isTag = tagEnd === streamEnd + 2 && (tag === PARTIAL || tag === FULL);
    const time = within(fullTimeOf(bytes, start, timeEnd)) ?? timeOf(bytes.toString('latin1', start, timeEnd));
    if (!isTag || time === null || (stream !== 'stdout' && stream !== 'stderr')) return null;
    const textStart = Math.min(end, tagsEnd + 1);
    const isPart = tag === PARTIAL;
    const textEnd = !isPart && end > textStart && bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
    return { time, stream, isPart, bytes, start: textStart, end: textEnd, attrs: null };
  },
  behindTorn: () => -1,
};

const PARTIAL = 0x50;
const FULL = 0x46;

export const JSON_FILE: ContainerFormat = {
  // Docker cuts texts at 16 KiB, of which JSON makes six times as much at most.
  lineBytesMax: 192 * 1024,
  unwrap(bytes, start, end) {
    if (end - start > this.lineBytesMax) return null;
    let line: unknown;
    try {
      line = JSON.parse(bytes.toString('utf8', start, end));
    } catch {
      return null;
    }
    if (typeof line !== 'object' || line === null) return null;
    const { log, stream, time: written, attrs } = line as Record<string, unknown>;
    if (typeof log !== 'string' || typeof written !== 'string') return null;
    const time = timeOf(written);
    if (time === null || (stream !== 'stdout' && stream !== 'stderr')) return null;
    const text = Buffer.from(log);
    const hasFeed = text.at(-1) === LINE_FEED;
    // A shorter one without a line feed is what a container left at its end: no line of its next run goes on with it.
    const isPart = !hasFeed && text.length >= DOCKER_PART_BYTES;
    const textEnd = hasFeed ? text.length - 1 : text.length;
    return { time, stream, isPart, bytes: text, start: 0, end: textEnd, attrs: textsOf(attrs) };
  },
  behindTorn(bytes, start, end) {
    const at = bytes.subarray(start, end).lastIndexOf(JSON_HEAD);
    return at > 0 ? start + at : -1;
  },
};

/** Where the next space is, or `end`. */
function spaceAt(bytes: Buffer, start: number, end: number): number {
  for (let at = start; at < end; at += 1) if (bytes[at] === SPACE) return at;
  return end;
}

function timeOf(text: string): EventTime | null {
  return within(eventTimeOfIso(text));
}

/** Null for what a time of the protocol cannot hold. */
function within(time: EventTime | null): EventTime | null {
  return time !== null && time.seconds < SECONDS_END ? time : null;
}

/** Null where there is none. */
function textsOf(attrs: unknown): Readonly<Record<string, string>> | null {
  if (typeof attrs !== 'object' || attrs === null) return null;
  const texts = Object.entries(attrs).filter((pair): pair is [string, string] => typeof pair[1] === 'string');
  return texts.length === 0 ? null : Object.fromEntries(texts);
}
