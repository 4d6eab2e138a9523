// What dead letters may take of the embedded queue's disk: the queue under the rule.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { openEmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';
import type { DeadLetter } from '#shared/queue/queue.ts';
import { type Batch, encodeBatches, RECORD_VERSION } from '#shared/record/record.ts';
import { MIB, NOISE, folder } from './dead-letter-world.ts';

describe('the embedded queue', () => {
  it('takes events while one sender has used up its share of the dead letters', async (t) => {
    const dataDir = await folder(t);
    const refused: string[] = [];
    await using queue = await open(dataDir);
    queue.deadLetterSpace.watch((reason) => refused.push(reason));
    assert.equal(await fillWith(queue, deadLetter('edge', '10.0.0.1')), 'dead_letters_full');
    assert(queue.deadLetterSpace.bytesStored > 3.9 * MIB && queue.deadLetterSpace.bytesStored <= 4 * MIB);
    await queue.appendDeadLetters([deadLetter('edge', '10.0.0.2')]);
    assert.equal(queue.unreadyReason, null);
    assert.deepEqual(refused, ['sender_share']);
    // The queue has all of its own.
    for (let i = 0; i < 10; i++)
      await queue.append(0, [{ encoding: 'identity', batches: tableOf('10.0.0.2'), value: Buffer.alloc(MIB, 1) }]);
    assert.equal(await fillWith(queue, deadLetter('edge', '10.0.0.2')), 'dead_letters_full');
    assert.equal(await fillWith(queue, deadLetter('edge', '10.0.0.3')), 'dead_letters_full');
    assert.deepEqual(refused, ['sender_share', 'sender_share', 'sender_share']);
    await queue.appendDeadLetters([deadLetter('edge', '10.0.0.4')]);
    assert.equal(queue.unreadyReason, null);
  });

  it('counts at the edge by where a dead letter came from, not by the name that its sender gave itself', async (t) => {
    await using queue = await open(await folder(t));
    const named = { batches: tableOf('web-1', 'forward'), peerAddress: '10.0.0.1' };
    assert.equal(await fillWith(queue, { ...deadLetter('edge', 'web-1'), ...named }), 'dead_letters_full');
    const renamed = { ...deadLetter('edge', 'web-2'), batches: tableOf('web-2', 'forward') };
    const more = Array.from({ length: 4 }, () => ({ ...renamed, peerAddress: '10.0.0.1' }));
    await assert.rejects(queue.appendDeadLetters(more), { code: 'dead_letters_full' });
    await queue.appendDeadLetters([{ ...renamed, peerAddress: '10.0.0.2' }]);
  });

  it('takes no more of any who names itself where all of them have had their share', async (t) => {
    const dataDir = await folder(t);
    const named = (sender: string) => ({ tenant: null, sender, input: 'forward' });
    {
      await using queue = await open(dataDir);
      for (let i = 0; i < 200; i++) {
        const one = { ...deadLetter('logs/0/1', `web-${i}`), batches: tableOf(`web-${i}`, 'forward') };
        await queue.appendDeadLetters(Array.from({ length: 4 }, () => one));
      }
      assert(queue.deadLetterSpace.isFullOf(named('web-7')));
    }
    await using queue = await open(dataDir);
    assert(queue.deadLetterSpace.isFullOf(named('who never came')));
    for (const other of [named('10.0.0.1'), { ...named('web-7'), tenant: 'a' }, { ...named('web-7'), input: 'http' }])
      assert(!queue.deadLetterSpace.isFullOf(other));
  });

  it('takes dead letters while its logs are full, so that the indexer goes on', async (t) => {
    await using queue = await open(await folder(t));
    const record = { encoding: 'identity', batches: tableOf('10.0.0.2'), value: Buffer.alloc(MIB, 1) } as const;
    await assert.rejects(
      async () => {
        for (let i = 0; i < 32; i++) await queue.append(0, [record]);
      },
      { code: 'queue_full' },
    );
    const held = [queue.append(0, [record]), queue.appendDeadLetters([deadLetter('logs/0/1', '10.0.0.1')])];
    const outcomes = (await Promise.allSettled(held)).map(({ status }) => status);
    assert.deepEqual(outcomes, ['rejected', 'fulfilled'], 'in one transaction');
    assert.match(queue.unreadyReason ?? '', /is full/);
  });

  it('names the sender whose events fill a share at the indexer, also after a restart', async (t) => {
    const dataDir = await folder(t);
    const bad = { tenant: null, sender: '10.0.0.1', input: 'gelf' };
    {
      await using queue = await open(dataDir);
      assert(!queue.deadLetterSpace.isFullOf(bad));
      assert.equal(await fillWith(queue, deadLetter('logs/0/1', '10.0.0.1')), 'dead_letters_full');
      assert(queue.deadLetterSpace.isFullOf(bad));
      assert(!queue.deadLetterSpace.isFullOf({ tenant: null, sender: '10.0.0.2', input: 'gelf' }));
      // Anybody can send a datagram in another's name.
      assert(!queue.deadLetterSpace.isFullOf({ ...bad, input: 'http' }));
    }
    await using queue = await open(dataDir);
    assert(queue.deadLetterSpace.isFullOf(bad));
    await assert.rejects(queue.appendDeadLetters([deadLetter('edge', '10.0.0.2')]), {
      code: 'dead_letters_full',
      message:
        /is larger than what is free of queue\.dead_letters_max_bytes; see `sluice dead-letters list`.*raise the setting/,
    });
    await queue.appendDeadLetters([deadLetter('replay', '')]);
    await using larger = await reopened(queue, dataDir, 64 * MIB);
    await larger.appendDeadLetters([deadLetter('edge', '10.0.0.2')]);
  });
});

type OpenQueue = Awaited<ReturnType<typeof openEmbeddedQueue>>;

function open(dataDir: string, deadLettersBytesMax = 16 * MIB): Promise<OpenQueue> {
  const sizes = { bytesMax: 16 * MIB, deadLettersBytesMax };
  const rest = { retentionMs: 3_600_000, readOnly: false, clock: systemClock, warn: () => undefined };
  return openEmbeddedQueue({ dataDir, ...sizes, ...rest });
}

async function reopened(queue: OpenQueue, dataDir: string, deadLettersBytesMax: number): Promise<OpenQueue> {
  await queue[Symbol.asyncDispose]();
  return open(dataDir, deadLettersBytesMax);
}

/** Appends it until it is refused; returns the code. */
async function fillWith(queue: OpenQueue, one: DeadLetter): Promise<string> {
  try {
    for (;;) await queue.appendDeadLetters(Array.from({ length: 4 }, () => one));
  } catch (error) {
    return (error as { code: string }).code;
  }
}

function deadLetter(from: string, sender: string): DeadLetter {
  const batches = from === 'replay' ? Buffer.alloc(0) : tableOf(sender);
  return { batches, reason: 'chunk_undecodable', error: 'x', from, value: NOISE, cut: false };
}

function tableOf(sender: string, input = 'gelf'): Uint8Array {
  const at = { first: 0, count: 1, tag: 't', input, tenant: null, receivedMs: 1, seq: 1, chain: null };
  const batch: Batch = { version: RECORD_VERSION, id: Buffer.alloc(16), sender, ...at };
  return encodeBatches([batch]);
}
