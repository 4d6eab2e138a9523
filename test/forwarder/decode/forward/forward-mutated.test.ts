// Two million bytes of damaged frames: nothing throws, what is read lies inside the frame, and damage stays with its
// connection.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countEntries } from '#shared/msgpack/extents.ts';
import { mutatedFrames } from '../mutate.ts';
import { readStream, type Seen } from './forward-stream.ts';

const BYTES = 2_000_000;
const FRAME_BYTES_MAX = 64 * 1024;
const FRAMES_PER_CONNECTION = 3;

test('mutated frames', async (context) => {
  const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
  context.diagnostic(`seed ${seed} (SLUICE_TEST_SEED)`);
  const frames = [...mutatedFrames(seed, BYTES)];
  let taken = 0;
  for (let at = 0; at < frames.length; at += FRAMES_PER_CONNECTION) {
    const connection = Buffer.concat(frames.slice(at, at + FRAMES_PER_CONNECTION));
    const whole = await readStream([connection], FRAME_BYTES_MAX);
    const cut = at % connection.length;
    const pieces = [connection.subarray(0, cut), connection.subarray(cut)];
    assert.deepEqual(outline(await readStream(pieces, FRAME_BYTES_MAX)), outline(whole));
    taken += whole.filter(isTaken).length;
  }
  const share = taken / frames.length;
  context.diagnostic(`${frames.length} frames, of which ${(100 * share).toFixed(0)} % reach intake`);
  assert.ok(share >= 0.3, `only ${share} of the frames reach intake`);
});

function isTaken(one: Seen): boolean {
  if (typeof one === 'string' || one.kind === 'malformed' || one.kind === 'signal' || one.count < 1) return false;
  assert.equal(countEntries(one.run, 0, one.run.length), one.count);
  assert.ok(one.tag.length > 0 && Buffer.byteLength(one.tag) <= 1024);
  return true;
}

function outline(seen: readonly Seen[]): readonly unknown[] {
  return seen.map((one) => (typeof one === 'string' ? one : { ...one, run: undefined, start: 0, end: 0 }));
}

test('the same seed gives the same frames', () => {
  assert.deepEqual([...mutatedFrames(7, 50_000)], [...mutatedFrames(7, 50_000)]);
});
