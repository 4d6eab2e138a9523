// Frames that say that they are large: what they cost before their bytes come, and where there are many of them.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { FrameFiles } from '#forwarder/accept/frames/frame-files.ts';
import { FRAME_UNKEPT, type FiledFrame, FrameReader, type NextFrame } from '#forwarder/accept/frames/frame-reader.ts';
import { settings } from '#shared/config/settings.ts';
import { FRAME_TOO_LARGE, NEED_MORE } from '#shared/msgpack/frame-scanner.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

function setUp(t: TestContext, changes: { filesMax?: number; heldBytesMax?: number; bytesMax?: number } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'frame-files-'));
  const { filesMax, heldBytesMax = 64 * MIB, bytesMax = 1024 * MIB } = changes;
  const files = new FrameFiles({ folder, bytesMax, heldBytesMax, ...(filesMax && { filesMax }) });
  const readers: FrameReader[] = [];
  const reader = (network = 'a'): FrameReader => {
    const made = new FrameReader({ frameBytesMax: heldBytesMax, files, network });
    readers.push(made);
    return made;
  };
  t.after(() => {
    for (const made of readers) made.abandon();
    rmSync(folder, { recursive: true, force: true });
  });
  return { files, reader, open: () => openIn(folder) };
}

/** Files without a name that this process has open of a folder. */
function openIn(folder: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
    } catch {
      return false;
    }
  }).length;
}

/** The beginning of ["t", bin, …]. */
function announcing(bytes: number): Buffer {
  const head = Buffer.from('93a174c600000000', 'hex');
  head.writeUInt32BE(bytes, 4);
  return head;
}

/** Pushes so many bytes, and waits as a session does. */
async function push(reader: FrameReader, bytes: number, size = 64 * KIB): Promise<NextFrame> {
  let next: NextFrame = NEED_MORE;
  for (let left = bytes; left > 0 && next === NEED_MORE; left -= size) {
    reader.push(Buffer.alloc(Math.min(size, left), 0x41));
    next = reader.next();
    await reader.backlog;
  }
  return next;
}

async function begun(reader: FrameReader, bytes: number): Promise<FrameReader> {
  reader.push(announcing(5 * MIB));
  assert.equal(reader.next(), NEED_MORE);
  assert.equal(await push(reader, bytes - 8), NEED_MORE);
  return reader;
}

/** What is under way on the disk has come a bit further. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

async function untilUnkept(reader: FrameReader): Promise<void> {
  let next: NextFrame = NEED_MORE;
  while (next === NEED_MORE) next = await push(reader, 1);
  assert.equal(next, FRAME_UNKEPT);
}

test('a frame that only says that it is large has no file; its bytes are counted', async (t) => {
  const { reader, open, files } = setUp(t);
  const one = await begun(reader(), 8);
  await settled();
  assert.equal(open(), 0);
  await push(one, 4 * MIB - 8);
  await settled();
  assert.deepEqual([open(), files.bytes, one.heldBytes], [0, 0, 4 * MIB]);
  await push(one, 1);
  while (one.heldBytes > 0) await settled();
  assert.deepEqual([open(), files.bytes], [1, 4 * MIB + 1]);
});

test('a frame of one-byte pieces is whole in its file, as it came', async (t) => {
  const { reader } = setUp(t, { heldBytesMax: 64 * KIB });
  const bytes = Buffer.concat([
    announcing(70 * KIB),
    Buffer.from(Array.from({ length: 70 * KIB }, (_, i) => i % 251)),
    Buffer.of(0xc0),
  ]);
  const one = reader();
  let next: NextFrame = NEED_MORE;
  for (const byte of bytes) {
    one.push(Buffer.of(byte));
    next = one.next();
    if (next !== NEED_MORE) break;
  }
  const { file, frame } = next as FiledFrame;
  await file.written();
  assert.equal(frame.bytes, bytes.length);
  assert.equal(file.inMemory(), null);
  assert.equal((await file.read(0, bytes.length)).compare(bytes), 0);
  await file[Symbol.asyncDispose]();
});

test('files are few, of all and of one network; the next is as where the disk is full', async (t) => {
  const { reader, open, files } = setUp(t, { filesMax: 8, heldBytesMax: 64 * KIB });
  const made: FrameReader[] = [];
  for (const network of ['a', 'b', 'c', 'd']) {
    for (let i = 0; i < 2; i += 1) made.push(await begun(reader(network), 65 * KIB));
  }
  while (made.some(({ heldBytes }) => heldBytes > 0)) await settled();
  assert.equal(open(), 8);
  const refused = await begun(reader('e'), 65 * KIB);
  await untilUnkept(refused);
  assert.equal(refused.failure, '8 frames are in files already');
  made[0]?.abandon();
  while (open() === 8) await settled();
  const again = await begun(reader('b'), 65 * KIB);
  await untilUnkept(again);
  assert.equal(again.failure, '2 frames of its network are in files already');
  const other = await begun(reader('e'), 65 * KIB);
  while (other.heldBytes > 0) await settled();
  assert.equal(open(), 8);
  for (const each of [...made, other, again]) each.abandon();
  while (open() > 0) await settled();
  assert.equal(files.bytes, 0);
});

test('past the number of files, a frame that may be held is held', async (t) => {
  const { reader, open } = setUp(t, { filesMax: 1 });
  const first = await begun(reader('a'), 4 * MIB + 1);
  while (first.heldBytes > 0) await settled();
  const second = await begun(reader('b'), 4 * MIB + 1);
  await settled();
  assert.deepEqual([open(), second.heldBytes], [1, 4 * MIB + 1]);
  const next = await push(second, MIB + 7);
  assert.equal(next, NEED_MORE);
  second.push(Buffer.of(0xc0));
  const whole = second.next() as FiledFrame;
  await whole.file.written();
  assert.equal(whole.file.inMemory()?.length, whole.frame.bytes);
  await whole.file[Symbol.asyncDispose]();
});

test('a network has as much of the disk as it leaves free; the next is as where the disk is full', async (t) => {
  const { reader, files } = setUp(t, { bytesMax: 12 * MIB, heldBytesMax: 64 * KIB });
  const inFile = async (network: string, bytes: number) => {
    const made = await begun(reader(network), bytes);
    while (made.heldBytes > 0) await settled();
    return made;
  };
  const first = await inFile('a', 3 * MIB);
  await inFile('a', 2.9 * MIB);
  const refused = await begun(reader('a'), 200 * KIB);
  // It has a file, and bytes of it would go there.
  await settled();
  await untilUnkept(refused);
  assert.match(refused.failure, /its network would be larger than what they leave free of 12582912 bytes/);
  await inFile('2001:db8::/64', 3 * MIB);
  first.abandon();
  while (files.bytes > 6 * MIB) await settled();
  await inFile('a', 200 * KIB);
});

test("by default two networks have files of Fluentd's largest chunks; what never fits is refused at once", (t) => {
  const { files, reader } = setUp(t, { bytesMax: settings['frame.file_max_bytes'].default });
  const chunk = 257 * MIB;
  for (const network of ['a', 'b']) files.take(network, chunk);
  assert.throws(() => files.take('a', chunk));
  files.give('b', chunk);
  files.take('c', chunk);
  const large = reader('d');
  large.push(announcing(513 * MIB));
  assert.equal(large.next(), FRAME_TOO_LARGE);
});
