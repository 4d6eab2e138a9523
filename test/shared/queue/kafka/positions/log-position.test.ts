// Where reading goes on in a log that is not what it was: columns of what was known, what is there, and what follows.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  decodeSnapshot,
  encodeSnapshot,
  type LogSnapshot,
  type LogPosition,
  startOf,
} from '#shared/queue/kafka/positions/log-position.ts';

const OLD = 'A'.repeat(22);
const NEW = 'B'.repeat(22);
const at = (next: number, snapshot: Partial<LogSnapshot> | null = {}): LogPosition => ({
  next,
  snapshot: snapshot && { topicId: OLD, epoch: 3, end: next, ...snapshot },
});

interface Log {
  readonly id?: string | null;
  readonly low?: number;
  readonly high?: number;
  readonly epochEnd?: number | null;
}

suite('reading goes on', () => {
  const cases: [what: string, position: LogPosition | null, log: Log, expected: string][] = [
    ['where it was', at(50), {}, 'at 50'],
    ['at the end', at(100), { epochEnd: 100 }, 'at 100'],
    ['at the start of a log that it never read', null, { low: 7 }, 'at 7'],
    ['at the start, where nothing is committed and all is removed', null, { low: 100 }, 'at 100'],

    ['at what is left by retention', at(50), { low: 60 }, 'at 60, retention: retention 50-60'],
    ['at what is left, all gone', at(50), { low: 100 }, 'at 100, retention: retention 50-100'],
    ['at what is left, without a snapshot', at(0, null), { low: 1 }, 'at 1, retention: retention 0-1'],
    ['where it was, at the edge of what is left', at(60), { low: 60 }, 'at 60'],

    ['where the log diverges', at(50), { epochEnd: 20 }, 'at 20, log_truncated: '],
    [
      'where it diverges, what was not read is lost',
      at(50, { end: 70 }),
      { epochEnd: 20 },
      'at 20, log_truncated: log_truncated 50-70 at least',
    ],
    [
      'at the start of what is left, where it diverges before',
      at(50),
      { epochEnd: 20, low: 30 },
      'at 30, log_truncated: retention 20-30',
    ],
    ['at the beginning of an empty log', at(50), { epochEnd: 0, high: 0 }, 'at 0, log_truncated: '],
    ['at the start, where nobody knows where it diverges', at(150, { epoch: null }), {}, 'at 0, log_truncated: '],
    ['at the start, without a snapshot', at(150, null), { low: 5 }, 'at 5, log_truncated: '],
    ['where it was, while a new leader does not know yet how far it may tell', at(150), { epochEnd: 150 }, 'at 150'],

    ['at the start of a topic that was made anew', at(50), { id: NEW }, 'at 0, topic_recreated: '],
    [
      'at its start, what was not read is lost',
      at(50, { end: 80 }),
      { id: NEW, high: 10 },
      'at 0, topic_recreated: topic_recreated 50-80 at least',
    ],
    [
      'at what is left of it',
      at(50, { end: 51 }),
      { id: NEW, low: 4 },
      'at 4, topic_recreated: topic_recreated 50-51 at least, retention 0-4',
    ],
    ['where it was, with brokers that know no ids', at(50), { id: null }, 'at 50'],
    ['where it was, with a snapshot of such brokers', at(50, { topicId: null }), { id: NEW }, 'at 50'],
    ['where it was, with a commit of somebody else', at(50, null), { id: NEW }, 'at 50'],
  ];
  for (const [what, position, { id = OLD, low = 0, high = 100, epochEnd = null }, expected] of cases) {
    test(what, () => {
      const { next, change, losses } = startOf(position, { partition: 1, topicId: id, low, high, epochEnd });
      const lost = losses.map(
        ({ reason, from, to, isExact }) => `${reason} ${from}-${to}${isExact ? '' : ' at least'}`,
      );
      const found = `at ${next}${change === null ? '' : `, ${change}: ${lost.join(', ')}`}`;
      assert.equal(found, expected);
      assert.ok(next >= low, 'at a record that is there');
    });
  }
});

suite('a snapshot', () => {
  test('is read as it was written', () => {
    for (const topicId of [OLD, 'aZ09_-aZ09_-aZ09_-aZ09', null]) {
      for (const epoch of [0, 2 ** 31 - 1, null]) {
        for (const end of [0, Number.MAX_SAFE_INTEGER]) {
          const snapshot = { topicId, epoch, end };
          assert.deepEqual(decodeSnapshot(encodeSnapshot(snapshot)), snapshot);
          const tried = { ...snapshot, tries: 7 };
          assert.deepEqual(decodeSnapshot(encodeSnapshot(tried)), tried);
          assert.equal(
            encodeSnapshot({ ...snapshot, tries: 0 }),
            encodeSnapshot(snapshot),
            'read by programs that do not count',
          );
          assert.equal(decodeSnapshot(encodeSnapshot({ ...snapshot, tries: 2 ** 40 }))?.tries, 999_999);
        }
      }
    }
  });

  const others = [
    null,
    undefined,
    '',
    'sluice1',
    'sluice2 - - 0',
    'sluice1 - - -1',
    'sluice1 - - 0 ',
    'sluice1 - - 0 -1',
    'sluice1 - - 0 1234567',
    'sluice1 - - 0 1 1',
    `sluice1 ${OLD}x 1 1`,
  ];
  others.push('sluice1 - - 9999999999999999', 'x'.repeat(5000), 'sluice1 - 1\n 1');
  for (const metadata of others) {
    test(`of somebody else is none: ${String(metadata).slice(0, 30)}`, () =>
      assert.equal(decodeSnapshot(metadata), null));
  }
});
