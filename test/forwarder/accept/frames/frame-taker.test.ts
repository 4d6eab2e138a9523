// What becomes of each frame, in order, decided without a socket or an intake.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import type { FrameOutcome } from '#forwarder/accept/frames/frame-outcome.ts';
import { FrameTaker } from '#forwarder/accept/frames/frame-taker.ts';
import { SlicePasses } from '#forwarder/accept/frames/slice-passes.ts';
import { Unpacker } from '#forwarder/accept/frames/unpacker.ts';
import { FairSlots } from '#forwarder/accept/turns/fair-slots.ts';
import { TurnBytes } from '#forwarder/accept/turns/turn-bytes.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { ByteBudget } from '#shared/byte-budget.ts';

const MIB = 1024 * 1024;
const room = { hasRoom: true, room: () => Promise.resolve() };

function newTaker(signal: AbortSignal): FrameTaker {
  const budget = new ByteBudget(64 * MIB);
  const passes = new SlicePasses({ unpacking: budget, bytesMax: 0 });
  const bounds = { heldBytesMax: MIB, entryBytesMax: MIB, ratioMax: Infinity, unpackedBytesMax: Infinity };
  const limits = { ...bounds, passes, network: 'a', room, signal };
  const turns = { turns: new FairSlots(1), turn: new TurnBytes(MIB) };
  const unpacker = new Unpacker({ budget, ...turns, network: 'a', room, signal });
  return new FrameTaker({ sender: 'a', principal: { ...ANYONE, tags: ['app.**'] } }, { limits, unpacker });
}

/** What is done, step by step, in a word or two each. */
async function told(outcome: FrameOutcome): Promise<string[]> {
  switch (outcome.kind) {
    case 'nothing':
      return [];
    case 'chunk':
      return [`${outcome.chunk.count} of ${outcome.chunk.tag}${outcome.ack ? ', acked' : ''}`];
    case 'dead_letter':
      return [`${outcome.undecodable.reason} of ${outcome.undecodable.tag}${outcome.ack ? ', acked' : ''}`];
    case 'empty':
      return ['acked'];
    case 'refused':
      return [`${outcome.code}, ${outcome.connection}`];
    case 'behind':
      return [`${outcome.run.count} of ${outcome.run.tag} first`, ...(await told(outcome.outcome))];
    case 'sliced':
      return [`slices of ${outcome.frame.origin.tag}, ${outcome.heldBytes > 0 ? 'held' : 'not held'}`];
    case 'later':
      return ['later', ...(await told(await outcome.outcome))];
  }
}

const ENTRY = Buffer.from(encode([1, { log: 'x' }]));
const ACK = { chunk: 'id' };
const GZIP = { compressed: 'gzip' };
const message = (tag: string, option: object = {}): Buffer => Buffer.from(encode([tag, 1, { log: 'x' }, option]));
const packed = (run: Uint8Array, option: object = {}, tag = 'app.p'): Buffer => Buffer.from(encode([tag, run, option]));

const cases: readonly (readonly [what: string, frames: readonly Buffer[], expected: readonly string[]])[] = [
  ['a heartbeat', [Buffer.of(0xc0)], []],
  ['a message', [message('app.a')], ['1 of app.a']],
  ['messages of one tag', [message('app.a'), message('app.a')], ['2 of app.a']],
  ['messages of two tags', [message('app.a'), message('app.b')], ['1 of app.a', '1 of app.b']],
  ['one that wants an ack', [message('app.a', ACK)], ['1 of app.a, acked']],
  ['the same behind others', [message('app.a'), message('app.a', ACK)], ['1 of app.a first', '1 of app.a, acked']],
  ['a tag that is refused', [message('other')], ['tag_refused, closes']],
  ['a packed chunk', [packed(ENTRY, ACK)], ['1 of app.p, acked']],
  ['an empty one', [packed(Buffer.alloc(0), ACK)], ['acked']],
  ['one behind messages', [message('app.a'), packed(ENTRY)], ['1 of app.a first', '1 of app.p']],
  ['a compressed one', [packed(gzipSync(ENTRY), { ...ACK, ...GZIP })], ['later', '1 of app.p, acked']],
  ['a damaged one', [packed(Buffer.of(1, 2), GZIP)], ['later', 'slices of app.p, held']],
  ['a refused one, compressed', [packed(gzipSync(ENTRY), GZIP, 'no')], ['later', 'tag_refused, closes']],
  ['entries that are none', [packed(Buffer.of(0x92, 0x01, 0x01))], ['slices of app.p, held']],
  ['metrics', [packed(ENTRY, { fluent_signal: 1 })], ['signal_refused, goes_on']],
  ['metrics that want an ack', [packed(ENTRY, { fluent_signal: 1, ...ACK })], ['signal_refused, closes']],
  ['no frame at all', [Buffer.from(encode({}))], ['frame_malformed, closes']],
  ['a frame of five', [Buffer.from(encode([1, 2, 3, 4, 5]))], ['chunk_undecodable of sluice.undecodable']],
];

for (const [what, frames, expected] of cases) {
  test(what, async () => {
    const over = new AbortController();
    const taker = newTaker(over.signal);
    const done: string[] = [];
    for (const frame of frames) done.push(...(await told(taker.take(frame, false))));
    const run = taker.endRun();
    if (run) done.push(`${run.count} of ${run.tag}`);
    assert.deepEqual(done, expected);
  });
}

test('whoever is gone while its chunk waits to be opened gets nothing', async () => {
  const over = new AbortController();
  const outcome = newTaker(over.signal).take(packed(gzipSync(ENTRY), GZIP), false);
  over.abort(new Error('gone'));
  assert.deepEqual(await told(outcome), ['later']);
});
