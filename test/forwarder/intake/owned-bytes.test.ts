// What a chunk alone has of memory is given back when it is stored, and not before: of one that was refused, its sender
// or the next attempt still needs it; of one that is stored, the queue has whatever it keeps.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { freeOwn } from '#shared/memory/free-buffer.ts';
import { chunkOf, entriesOf, held, setUp } from './intake-fixture.ts';

/** More than Node's pool gives, so that they have memory of their own. */
const texts = Array.from({ length: 2000 }, (_, i) => `line ${i}`);

function ownEntries(of: readonly string[]): Buffer {
  const entries = entriesOf(of);
  const own = Buffer.allocUnsafeSlow(entries.length);
  entries.copy(own);
  return own;
}

test('the bytes are gone once they are stored, and the queue has them', async () => {
  const { queue, intake } = setUp();
  const bytes = ownEntries(texts);
  await intake.accept(chunkOf(texts, { bytes, entries: bytes, freeBytes: () => freeOwn(bytes) }));
  assert.equal(bytes.length, 0);
  const [only] = await held(queue);
  assert.deepEqual(only?.entries, entriesOf(texts));
});

test('what is not compressed is copied: the queue may keep it', async () => {
  const { queue, intake } = setUp();
  const bytes = ownEntries(['short']);
  const sent = Buffer.from(bytes);
  await intake.accept(chunkOf(['short'], { bytes, entries: bytes, freeBytes: () => freeOwn(bytes) }));
  assert.equal(bytes.length, 0);
  assert.equal(queue.appends[0]?.records[0]?.encoding, 'identity');
  assert.deepEqual((await held(queue))[0]?.entries, sent);
});

test('the bytes of a chunk that was refused stay as they are', async () => {
  const { queue, intake } = setUp();
  queue.beforeHold = () => Promise.reject(new SluiceError('queue_unavailable', 'Cannot append: down'));
  const bytes = ownEntries(texts);
  const chunk = chunkOf(texts, { bytes, entries: bytes, freeBytes: () => freeOwn(bytes) });
  await assert.rejects(intake.accept(chunk), { code: 'queue_unavailable' });
  assert.deepEqual(bytes, entriesOf(texts));
});

test('the bytes stay where a dead letter has a part of them: a late queue may still be sending it', async () => {
  const { queue, intake } = setUp();
  queue.appendBytesMax = 3000;
  const large = randomBytes(6000).toString('base64');
  const bytes = ownEntries(['before', large]);
  await intake.accept(chunkOf(['before', large], { bytes, entries: bytes, freeBytes: () => freeOwn(bytes) }));
  assert.equal(queue.letters[0]?.reason, 'entry_too_large');
  const sent = entriesOf(['before', large]);
  assert.deepEqual(queue.letters[0].value, sent.subarray(entriesOf(['before']).length));
});
