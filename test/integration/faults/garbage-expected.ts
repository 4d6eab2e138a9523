// What connections with damaged Forward frames should come to: events, dead letters and acks, and the names of all that
// was acked. Where frames end is known from the codecs (forward-stream.ts); what of a chunk goes on, and what is a dead
// letter, from an independent walk (plain-walk.ts), value by value.

import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import { encodeAck, encodeJsonAck } from '#forwarder/decode/forward/forward-ack.ts';
import { entryTimeMs } from '#shared/record/entry-time.ts';
import { chunkIdentity, documentId } from '#shared/record/identity.ts';
import type { Seen } from '#test/forwarder/decode/forward/forward-stream.ts';
import { type BadValue, walk } from '#test/forwarder/decode/plain-walk.ts';

/** The address of all connections. */
export const SENDER = '127.0.0.1';
/** So many bad values of a chunk are dead letters of their own. */
const OWN_LETTERS_MAX = 1000;

type SeenFrame = Extract<Seen, { readonly run: Buffer }>;

/** What all connections should come to. */
export class Expected {
  frames = 0;
  accepted = 0;
  events = 0;
  /** Frames that are none. */
  deadLettered = 0;
  /** Values that are no entries. */
  rejected = 0;
  /** The bytes of dead letters that are of no single event. */
  readonly letters: string[] = [];
  acksDue = 0;
  acksHeard = 0;
  /** Names of the events that were acked. */
  readonly ackedIds: string[] = [];
  /** The bytes of dead letters of single values that were acked, by name. */
  readonly ackedBad = new Map<string, string>();
}

/**
 * Adds what a connection came to. Acks may be lost where it was broken off, but none may be heard that was not due, in
 * its place.
 */
export function addConnection(
  expected: Expected,
  { seen, heard, isJson }: { seen: Seen[]; heard: Buffer; isJson: boolean },
): void {
  let at = 0;
  for (const one of seen) {
    if (one === 'stream malformed' || one === 'frame too large') break;
    if (one === 'heartbeat') continue;
    if (one.kind === 'signal') {
      // Refused where an ack is waited for; else passed over.
      if (one.chunk) break;
      continue;
    }
    // Not of this protocol: the connection is closed rather than taken on byte by byte.
    if (one.kind === 'malformed' && one.why === 'a frame is an array or nil') break;
    const found = one.kind === 'malformed' ? null : foundIn(one);
    if (found) {
      expected.accepted += 1;
      expected.events += found.entries.length + found.bad.length;
      expected.rejected += found.bad.length;
      expected.letters.push(...found.letters.map((bytes) => bytes.toString('latin1')));
    } else expected.deadLettered += 1;
    if (!one.chunk) continue;
    expected.acksDue += 1;
    const ack = isJson ? encodeJsonAck(one.chunk) : encodeAck(one.chunk);
    const said = heard.subarray(at, at + ack.length);
    assert.ok(said.equals(ack.subarray(0, said.length)), `heard ${said.toString('hex')}, not ${ack.toString('hex')}`);
    if (said.length < ack.length) continue;
    at += ack.length;
    expected.acksHeard += 1;
    if (found && one.kind !== 'malformed') nameAcked(expected, one, found);
  }
  assert.equal(at, heard.length, `heard more than is due: ${heard.subarray(at).toString('hex')}`);
}

interface Found {
  readonly entries: readonly number[];
  readonly bad: readonly BadValue[];
  /** Dead letters that are of no single value. */
  readonly letters: readonly Buffer[];
}

/** What goes on of a chunk, and what does not. */
function foundIn({ run, body, isDamaged }: SeenFrame): Found {
  if (run.length === 0 && !isDamaged) return { entries: [], bad: [], letters: [] };
  const { entries, bad, rest } = walk(run);
  // Without an entry it is a dead letter as it came.
  if (entries.length === 0) return { entries, bad: [], letters: [body] };
  const others = bad.slice(OWN_LETTERS_MAX).map(({ bytes }) => bytes);
  const unread = isDamaged ? body : rest;
  const letters = [...(others.length > 0 ? [Buffer.concat(others)] : []), ...(unread ? [unread] : [])];
  return { entries, bad, letters };
}

/**
 * The names of a chunk's events, but of parts of lines, which have their line's, and of chunks whose id is empty, whose
 * names are random.
 */
function nameAcked(expected: Expected, one: SeenFrame, { entries, bad }: Found): void {
  if (one.chunkId === null) return;
  const { tag, chunkId, run } = one;
  const timeMs = entryTimeMs(run, 0, run.length);
  const name = { timeMs, tenant: null, sender: SENDER, tag, chunkId, crc32: crc32(run), length: run.length };
  const batch = { version: 2, id: chunkIdentity(name), first: 0, receivedMs: 0, chain: null } as const;
  if (!run.includes('partial_')) for (const index of entries) expected.ackedIds.push(documentId(batch, index));
  for (const { index, bytes } of bad.slice(0, OWN_LETTERS_MAX)) {
    expected.ackedBad.set(documentId(batch, index), bytes.toString('latin1'));
  }
}
