// What dead letters may take of the embedded queue's disk: the rule alone.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  costOf,
  DeadLetterBudget,
  isClaimedSender,
  ownerOf,
  senderOf,
} from '#shared/queue/embedded/dead-letter-budget.ts';

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
