// The parts of the chaos run that decide whether its verdict can be believed: the books, the schedule, the verdict, the
// proxy.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { suite, test } from 'node:test';
import { Books } from './books.ts';
import { Proxy } from './faults/proxy.ts';
import { kindNames, scheduleOf } from './schedule.ts';
import { compareLoss, reportedIn } from './reported-losses.ts';
import { type Facts, verdictOf } from './verdict.ts';

suite('books', () => {
  test('an event is lost if it was acked and is neither found nor dead-lettered', () => {
    const books = new Books();
    books.send(3, 4);
    books.send(3, 2);
    books.send(5, 3);
    books.ack(3, 0);
    books.ack(3, 0);
    books.ack(5, 0);
    for (const event of [0, 2, 2, 2, 4]) books.find(3, event);
    books.findDeadLetter(3, 3);
    for (const event of [0, 1, 2, 3]) books.find(5, event);
    books.find(9, 0);
    books.find(5, Number.NaN);
    assert.deepEqual(books.count(), {
      sent: 9,
      acked: 7,
      found: 6,
      lost: 1,
      duplicated: 2,
      deadLettered: 1,
      strangers: 3,
    });
    assert.equal(books.inFlight, 2);
    assert.deepEqual([...books.lost()], [{ sender: 3, chunk: 0, event: 1 }]);
    assert.deepEqual([...books.duplicated()], [{ sender: 3, chunk: 0, event: 2 }]);
  });

  test('holds more events than its first bits have room for', () => {
    const books = new Books();
    const events = 100_000;
    books.send(0, events);
    books.ack(0, 0);
    for (let event = events - 1; event >= 0; event--) if (event !== 77_777) books.find(0, event);
    assert.deepEqual([...books.lost()], [{ sender: 0, chunk: 0, event: 77_777 }]);
  });
});

suite('reported losses', () => {
  const line = (from: number, to: number): string => JSON.stringify({ event: 'records_lost', partition: 1, from, to });
  const places = new Map([
    ['0/7', [9]],
    ['1/7', [0, 1]],
    ['1/8', [2]],
  ]);

  function compared(lines: readonly string[], counted: number) {
    const books = new Books();
    books.send(1000, 3);
    books.ack(1000, 0);
    books.find(1000, 0);
    const reported = [{ sender: 1000, reported: reportedIn(lines, places) }];
    return compareLoss(books, reported, counted);
  }

  test('what is lost and reported, lost and not reported, reported and not lost', () => {
    const both = compared(['{"event":"other"}', line(7, 9)], 2);
    assert.deepEqual(both, {
      lost: 2,
      reported: 3,
      unreported: 0,
      falselyReported: 1,
      duplicated: 0,
      recordsReported: 2,
      recordsCounted: 2,
    });
    const { unreported, falselyReported } = compared([line(8, 9)], 1);
    assert.deepEqual({ unreported, falselyReported }, { unreported: 1, falselyReported: 0 });
  });

  test('a record that is reported twice counts twice, as the counter does', () => {
    assert.equal(compared([line(7, 8), line(7, 9)], 3).recordsReported, 3);
  });
});

suite('torn chunks', () => {
  test('an acked one must be found with the dead letters, one without an ack may', () => {
    const books = new Books();
    for (const isTorn of [true, false, true, true]) books.send(2, 1, isTorn);
    for (const chunk of [0, 1, 2]) books.ack(2, chunk);
    const isSent = [0, 0, 1, 3].map((chunk) => books.findTornEnd({ sender: 2, chunk }));
    assert.deepEqual(isSent, [true, true, false, true]);
    assert.deepEqual(books.countTorn(), { acked: 2, deadLettered: 1 });
  });
});

suite('schedule', () => {
  test('is the same for the same seed, and another for another', () => {
    const options = { count: 100, everyMs: 1000, lastsMsMax: 60_000 };
    assert.deepEqual(scheduleOf(1, options), scheduleOf(1, options));
    assert.notDeepEqual(scheduleOf(1, options), scheduleOf(2, options));
  });

  test('has each kind once in a round', () => {
    const kinds = scheduleOf(7, { count: kindNames.length * 3, everyMs: 1000, lastsMsMax: 60_000 }).map(
      ({ kind }) => kind,
    );
    for (let at = 0; at < kinds.length; at += kindNames.length) {
      assert.deepEqual(kinds.slice(at, at + kindNames.length).sort(), [...kindNames].sort());
    }
  });
});

suite('verdict', () => {
  const counts = { sent: 10, acked: 10, found: 10, lost: 0, duplicated: 0, deadLettered: 0, strangers: 0 };
  const clean: Facts = {
    seed: 1,
    seconds: 1,
    bar: { faultsOfEachKind: 1, shareInFlight: 0.5 },
    counts,
    client: counts,
    doomed: {
      lost: 5,
      reported: 5,
      unreported: 0,
      falselyReported: 0,
      duplicated: 0,
      recordsReported: 2,
      recordsCounted: 2,
    },
    torn: { acked: 1, deadLettered: 1 },
    struck: kindNames.map((kind, i) => ({ kind, unacked: (i + 1) % 2 })),
    probes: 1,
    resentChunks: 1,
    deduplicated: 1,
    rebalances: 1,
    membershipChanges: 1,
    falls: 0,
    faultsFound: [],
  };
  const check = (title: string, more: Partial<Facts>, expected: string): void => {
    test(title, () => assert.equal(verdictOf({ ...clean, ...more }).verdict, expected));
  };
  check('all is well', {}, 'clean');
  check('one lost', { counts: { ...counts, lost: 1 } }, 'broken');
  check('one doubled', { counts: { ...counts, duplicated: 1 } }, 'broken');
  check('one that nobody sent', { counts: { ...counts, strangers: 1 } }, 'broken');
  check('one of the real client lost', { client: { ...counts, lost: 1 } }, 'broken');
  check('one of the real client doubled, whose ids are new', { client: { ...counts, duplicated: 1 } }, 'clean');
  check('one lost that nobody reported', { doomed: { ...clean.doomed, lost: 6, unreported: 1 } }, 'broken');
  check('one reported lost that is there', { doomed: { ...clean.doomed, reported: 6, falselyReported: 1 } }, 'broken');
  check('one reported twice', { doomed: { ...clean.doomed, recordsCounted: 3 } }, 'broken');
  check('nothing lost', { doomed: { ...clean.doomed, lost: 0, reported: 0 } }, 'inconclusive');
  check('a torn end that nobody reported', { torn: { acked: 2, deadLettered: 1 } }, 'broken');
  check('a ledger that did not close', { faultsFound: ['indexer-0: 1'] }, 'broken');
  check('a kind that never came', { struck: clean.struck.slice(1) }, 'inconclusive');
  check('nothing in flight', { struck: clean.struck.map((one) => ({ ...one, unacked: 0 })) }, 'inconclusive');
  check('nothing acked', { counts: { ...counts, acked: 0 } }, 'inconclusive');
  check('nothing sent again', { resentChunks: 0 }, 'inconclusive');
  check('nothing deduplicated', { deduplicated: 0 }, 'inconclusive');
  check('no rebalance', { rebalances: 0 }, 'inconclusive');
  check('lost, and too little went wrong', { counts: { ...counts, lost: 1 }, rebalances: 0 }, 'broken');
});

suite('proxy', () => {
  /** Through a proxy to a server that sends everything back. */
  async function throughProxy(use: (proxy: Proxy) => Promise<void>): Promise<void> {
    const server = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      await using proxy = await Proxy.start((server.address() as AddressInfo).port);
      await use(proxy);
    } finally {
      server.close();
    }
  }

  test('passes bytes on, lets nothing pass while it stalls, and goes on after that', () =>
    throughProxy(async (proxy) => {
      const socket = connect(proxy.port, '127.0.0.1');
      socket.write('one');
      assert.deepEqual(await once(socket, 'data'), [Buffer.from('one')]);
      proxy.stall();
      socket.write('two');
      const heard = once(socket, 'data').then(([bytes]) => String(bytes));
      // A round trip beside it: what the proxy had let pass would be here by now.
      const other = connect(proxy.port, '127.0.0.1');
      await once(other, 'connect');
      assert.equal(await Promise.race([heard, new Promise((resolve) => setImmediate(resolve, 'nothing'))]), 'nothing');
      proxy.resume();
      assert.equal(await heard, 'two');
      socket.destroy();
      other.destroy();
    }));

  test('cuts all connections', () =>
    throughProxy(async (proxy) => {
      const socket = connect(proxy.port, '127.0.0.1');
      socket.write('one');
      await once(socket, 'data');
      proxy.cut();
      const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
      assert.equal(error.code, 'ECONNRESET');
    }));

  test('breaks off in the middle of an answer', () =>
    throughProxy(async (proxy) => {
      const socket = connect(proxy.port, '127.0.0.1');
      socket.write('one');
      await once(socket, 'data');
      proxy.breakOff();
      socket.write('12345678');
      assert.deepEqual(await once(socket, 'data'), [Buffer.from('1234')]);
      await once(socket, 'error');
    }));
});
