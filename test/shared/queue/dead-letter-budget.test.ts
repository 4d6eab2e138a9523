// What dead letters may take of the embedded queue's disk: the rule alone, and the queue under it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '#shared/clock.ts';
import { DeadLetterAccount } from '#shared/queue/embedded/dead-letter-account.ts';
import {
  costOf,
  DeadLetterBudget,
  isClaimedSender,
  ownerOf,
  senderOf,
} from '#shared/queue/embedded/dead-letter-budget.ts';
import { openEmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';
import { SqliteLog } from '#shared/queue/embedded/sqlite-log.ts';
import type { DeadLetter } from '#shared/queue/queue.ts';
import { type Batch, encodeBatches, RECORD_VERSION } from '#shared/record/record.ts';
import { tmpfs } from './file-systems.ts';

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;
/** Not to be compressed. */
const NOISE = randomBytes(15_000);

describe('budget of dead letters', () => {
  const fill = (budget: DeadLetterBudget, from: string, sender: string, tenant: string | null = null): number => {
    const owner = ownerOf(from, { tenant, sender, input: 'http' });
    let taken = 0;
    while (budget.refusal({ owners: [owner], wholeBytes: 0 }, [10]) === null) {
      budget.add(owner, 10);
      taken += 10;
    }
    return taken;
  };

  const refusalOf = (budget: DeadLetterBudget, from: string, sender: string, cost: number) =>
    budget.refusal({ owners: [ownerOf(from, { tenant: null, sender, input: 'http' })], wholeBytes: 0 }, [cost]);

  it('gives one sender at the edge as much as it leaves free, and the rest to the indexer', () => {
    const budget = new DeadLetterBudget(1000);
    assert.equal(fill(budget, 'edge', '10.0.0.1'), 250);
    assert.equal(refusalOf(budget, 'edge', '10.0.0.1', 1), 'sender_share');
    assert.equal(fill(budget, 'edge', '10.0.0.2'), 120);
    assert.equal(fill(budget, 'edge', '10.0.0.3'), 60, 'whoever comes finds a place');
    assert.equal(refusalOf(budget, 'edge', '10.0.0.4', 30), null);
    assert.equal(refusalOf(budget, 'edge', '10.0.0.4', 36), 'edge_share');
    assert.equal(fill(budget, 'sluice.logs/0/1', '10.0.0.1'), 570);
    assert.equal(refusalOf(budget, 'sluice.logs/0/1', '10.0.0.4', 1), 'budget');
    assert.equal(
      budget.refusal({ owners: [ownerOf('replay', null)], wholeBytes: 0 }, [500]),
      null,
      'a mark is always taken',
    );
  });

  it('leaves some of the edge’s half free, whatever the indexer has', () => {
    const budget = new DeadLetterBudget(1000);
    budget.add(ownerOf('logs/0/1', { tenant: null, sender: '10.0.0.1', input: 'http' }), 800);
    assert.equal(fill(budget, 'edge', '10.0.0.1'), 100);
    assert.equal(fill(budget, 'edge', '10.0.0.2'), 50);
  });

  it('names a sender that holds half as much at the indexer as is free', () => {
    const budget = new DeadLetterBudget(1200);
    const take = (sender: string, cost: number) =>
      budget.add(ownerOf('logs/0/1', { tenant: null, sender, input: 'http' }), cost);
    const numbers = (...senders: string[]) =>
      senders.map((sender) => senderOf({ tenant: null, sender, input: 'http' }));
    take('10.0.0.1', 399);
    assert.deepEqual(budget.fullSenders(), []);
    take('10.0.0.1', 1);
    assert.deepEqual(budget.fullSenders(), numbers('10.0.0.1'));
    take('10.0.0.2', 200);
    assert.deepEqual(budget.fullSenders(), numbers('10.0.0.1'));
    take('10.0.0.2', 67);
    assert.deepEqual(budget.fullSenders(), numbers('10.0.0.1', '10.0.0.2'));
    take('10.0.0.1', -400);
    assert.deepEqual(budget.fullSenders(), []);
    take('10.0.0.3', 932);
    take('10.0.0.4', 1);
    assert.equal(budget.bytesStored, 1200);
    assert.deepEqual(budget.fullSenders(), numbers('10.0.0.2', '10.0.0.3'), 'next to nothing is not full');
    take('10.0.0.2', -267);
    take('10.0.0.3', -932);
    take('10.0.0.4', -1);
    assert.deepEqual([budget.bytesStored, budget.fullSenders()], [0, []]);
  });

  it('names 1,024 senders at most', () => {
    const budget = new DeadLetterBudget(1_000_000);
    for (let i = 0; budget.bytesStored + 400 <= 1_000_000; i++)
      budget.add(ownerOf('logs/0/1', { tenant: `t${i}`, sender: '', input: 'http' }), 400);
    assert.deepEqual(budget.fullSenders(), []);
    budget.clear();
    for (let i = 0; budget.bytesStored + 1000 <= 1_000_000; i++)
      budget.add(ownerOf('logs/0/1', { tenant: `t${i}`, sender: '', input: 'http' }), 1000);
    assert.equal(budget.fullSenders().length, 1000);
  });

  const named = (sender: string) => ({ tenant: null, sender, input: 'forward' });

  it('takes all who name themselves for one more sender at the edge', () => {
    const budget = new DeadLetterBudget(1000);
    const takes = (sender: string) => {
      const append = { owners: [ownerOf('edge', named(sender))], wholeBytes: 0 };
      const refusal = budget.refusal(append, [10]);
      if (refusal === null) budget.add(append.owners[0]!, 10);
      return refusal;
    };
    for (let i = 0; i < 25; i++) assert.equal(takes(`web-${i}`), null);
    assert.equal(takes('web-25'), 'key_share');
    assert.equal(takes('10.0.0.1'), null);
    assert.equal(takes('unix'), null);
  });

  it('names all who name themselves where they hold twice as much at the indexer as is free', () => {
    const budget = new DeadLetterBudget(1200);
    for (let i = 0; i < 79; i++) budget.add(ownerOf('logs/0/1', named(`web-${i}`)), 10);
    assert(!budget.isClaimedFull());
    assert.deepEqual(budget.fullSenders(), [], 'none for itself');
    budget.add(ownerOf('logs/0/1', named('web-79')), 10);
    assert(budget.isClaimedFull());
    budget.add(ownerOf('logs/0/1', named('web-79')), -10);
    assert(!budget.isClaimedFull());
    budget.add(ownerOf('logs/0/1', named('web-7')), 300);
    assert.deepEqual(budget.fullSenders(), [senderOf(named('web-7'))]);
  });

  it('is not full of names where there is none', () => {
    const budget = new DeadLetterBudget(1000);
    fill(budget, 'logs/0/1', '10.0.0.1');
    assert.equal(budget.bytesStored, 1000);
    assert(!budget.isClaimedFull());
  });

  it('tells a name that is claimed from an address and from a tenant', () => {
    const isClaimed = (sender: string, tenant: string | null = null, input = 'forward') =>
      isClaimedSender(senderOf({ tenant, sender, input }));
    assert(isClaimed('web-1'));
    assert(!isClaimed('web-1', 'team-a'));
    for (const address of ['10.0.0.1', '::1', 'fe80::1%eth0', 'unix']) assert(!isClaimed(address), address);
    assert(!isClaimed('gateway', null, 'http'), 'only Forward has names');
  });

  it('takes what is removed off again', () => {
    const budget = new DeadLetterBudget(1000);
    const owner = ownerOf('edge', { tenant: 'a', sender: '10.0.0.1', input: 'http' });
    fill(budget, 'edge', '10.0.0.9', 'a');
    budget.add(owner, -100);
    assert.equal(budget.bytesStored, 150);
    assert.equal(fill(budget, 'edge', '10.0.0.7', 'a'), 100, 'a tenant is one sender, whatever its addresses');
  });

  it('takes all parts of a large dead letter, or none', () => {
    const budget = new DeadLetterBudget(1000);
    const owner = ownerOf('edge', { tenant: null, sender: '10.0.0.1', input: 'http' });
    assert.equal(budget.refusal({ owners: [owner], wholeBytes: 300 }, [100]), 'edge_share');
    assert.equal(budget.refusal({ owners: [owner], wholeBytes: 250 }, [100]), null);
  });

  it('takes a network of IPv6 for one sender', () => {
    const of = (sender: string) => senderOf({ tenant: null, sender, input: 'http' });
    assert.equal(of('2001:db8:0:7::1'), of('2001:db8:0:7:ffff:1:2:3'));
    assert.equal(of('2001:db8:0:7::'), of('2001:0db8::7:1:2:3:4'));
    assert.notEqual(of('2001:db8:0:7::1'), of('2001:db8:0:8::1'));
    assert.equal(of('::1'), of('::2'));
    assert.notEqual(of('10.0.0.1'), of('10.0.0.2'));
  });

  it('counts what rows take of pages', () => {
    for (const [bytes, cost] of [
      [0, 25],
      [300, 328],
      [4100, 8192],
      [8000, 8192],
      [8192, 16_384],
      [100_000, 106_496],
    ] as const)
      assert.equal(costOf(bytes), cost);
  });
});

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

describe('the account of dead letters in the log', () => {
  const stored = { offset: 0, timeMs: 0, headers: Buffer.alloc(0), value: Buffer.alloc(5000, 1) };
  const write = (log: SqliteLog, count: number) =>
    log.write({
      now: { epochMs: Date.UTC(2026, 1, 1), monotonicMs: 0 },
      logs: [],
      deadLetters: Array.from({ length: count }, () => stored),
      deadLetterCharges: Array.from({ length: count }, () => ({ owners: [7], wholeBytes: 0 })),
      commits: [],
    });
  const openLog = (file: string, deadLettersBytesMax = 16 * MIB) =>
    new SqliteLog({
      file,
      readOnly: false,
      bytesMax: 16 * MIB,
      deadLettersBytesMax,
      retentionMs: 1000,
      tell: () => undefined,
    });

  it('gives back what ends by its age, and nothing before', async (t) => {
    const file = join(await folder(t), 'log.sqlite');
    using log = openLog(file);
    const written = write(log, 600);
    assert.equal(
      written.deadLettersRefused.filter((why) => why === null).length,
      512,
      'a quarter of 16 MiB in pages of 8 KiB',
    );
    const tend = (days: number) => {
      while (log.tend({ epochMs: Date.UTC(2026, 1, 1) + days * DAY_MS, monotonicMs: days * DAY_MS }));
    };
    for (let day = 0; day < 7; day++) tend(day);
    assert.equal(log.deadLetters.bytesStored, 4 * MIB);
    assert.deepEqual(write(log, 1).deadLettersRefused, [{ budget: 'sender_share' }]);
    for (let day = 7; day < 9; day++) tend(day);
    assert.equal(log.deadLetters.bytesStored, 8192, 'the last one stays');
    assert.deepEqual(write(log, 1).deadLettersRefused, [null]);
  });

  it('counts what an earlier version has written, and what it has removed', async (t) => {
    const file = join(await folder(t), 'log.sqlite');
    {
      using log = openLog(file);
      write(log, 10);
    }
    const database = new DatabaseSync(file);
    database.exec('DROP TABLE dead_letter_costs');
    {
      using log = openLog(file);
      assert.equal(log.deadLetters.bytesStored, 10 * 8192);
    }
    database.exec('DELETE FROM dead_letters WHERE offset < 4');
    database.close();
    using log = openLog(file);
    assert.equal(log.deadLetters.bytesStored, 6 * 8192);
  });
});

describe('the account', () => {
  it('does not count twice what was not written, nor once less', () => {
    using database = new DatabaseSync(':memory:');
    database.exec('CREATE TABLE dead_letters (offset INTEGER PRIMARY KEY, headers BLOB, value BLOB)');
    const account = new DeadLetterAccount(database, { readOnly: false, deadLettersBytesMax: 16 * MIB });
    const records = [{ offset: 0, timeMs: 0, headers: Buffer.alloc(0), value: Buffer.alloc(5000) }];
    const admit = () => account.admitted(records, [{ owners: [7], wholeBytes: 0 }]);
    account.append(0, admit());
    assert.equal(account.bytesStored, 8192);
    account.withdraw(admit());
    assert.equal(account.bytesStored, 8192);
    // A removal that failed on a full device, between the one and the other.
    const admitted = admit();
    account.reload();
    account.withdraw(admitted);
    assert.equal(account.bytesStored, 8192);
  });

  it('is what the tables say, however many writes a full device refuses', (t) => {
    const device = tmpfs(t, 'size=24m');
    if (device === null) return t.skip('no file system can be mounted here');
    const file = join(device, 'log.sqlite');
    const value = randomBytes(5000);
    const stored = { offset: 0, timeMs: 0, headers: Buffer.alloc(0), value };
    using log = new SqliteLog({
      file,
      readOnly: false,
      bytesMax: 16 * MIB,
      deadLettersBytesMax: 16 * MIB,
      retentionMs: 0,
      tell: () => undefined,
    });
    const write = (deadLetters: number, logs: number) =>
      log.write({
        now: { epochMs: Date.UTC(2026, 1, 1), monotonicMs: 0 },
        logs: Array.from({ length: logs }, () => stored),
        deadLetters: Array.from({ length: deadLetters }, () => stored),
        deadLetterCharges: Array.from({ length: deadLetters }, () => ({ owners: [7], wholeBytes: 0 })),
        commits: [],
      });
    write(10, 100);
    log.join('g');
    log.write({
      now: { epochMs: 0, monotonicMs: 0 },
      logs: [],
      deadLetters: [],
      deadLetterCharges: [],
      commits: [['g', 100]],
    });
    // What a checkpoint frees would be room for a removal.
    const other = new DatabaseSync(file);
    other.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    other.close();
    try {
      for (;;) appendFileSync(join(device, 'filler'), Buffer.alloc(4096));
    } catch {
      // It is full.
    }
    for (let i = 0; i < 20; i++) assert.notEqual(write(3, 1).deadLettersRefused[0], null);
    assert.equal(log.deadLetters.bytesStored, 10 * 8192);
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

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-letters-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
