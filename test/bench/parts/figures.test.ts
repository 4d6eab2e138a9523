// Which figures are found in what benches print, and how two builds compare by them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareFigures, comparisonTable, figuresOf } from './figures.ts';

function check(line: string, expected: Readonly<Record<string, number>>): void {
  test(line, () => assert.deepEqual(Object.fromEntries(figuresOf(line)), expected));
}

check('  packed: 860 k events per CPU-second (9000 of 9000 sent), peak 203 MiB, acks p50 12.5 ms, p99 42.0 ms', {
  'packed: # k events per CPU-second': 860,
  'packed: # of # sent': 9000,
  'packed: # of # sent [2]': 9000,
  'packed: peak # MiB': 203,
  'packed: acks p50 # ms': 12.5,
  'packed: p99 # ms': 42,
});
check('  the same at half of that load, 560 k/s: 700 k events per CPU-second', {
  'the same at half of that load, # k/s: # k events per CPU-second': 700,
});
check('Kafka → counting _bulk: 800.0 k events of 320 bytes, ledger imbalance 0', {
  'Kafka → counting _bulk: # k events of # bytes': 800,
  'Kafka → counting _bulk: # k events of # bytes [2]': 320,
  'Kafka → counting _bulk: ledger imbalance #': 0,
});
check('embedded: one at a time       1,234    0.5     81.2', {
  'embedded: #': 1234,
  'embedded: # [2]': 0.5,
  'embedded: # [3]': 81.2,
});
check('queue                  appends/s   MiB/s', {});
check('', {});

test('medians of both, without what never differs and what only one has', () => {
  const runs = (...speeds: number[]) =>
    speeds.map((speed) => figuresOf(`all: ${speed} k/s, ${speed * 2} MiB of 512\nof: 3 senders`));
  const base = runs(90, 300, 100).map((figures) => new Map([...figures, ['gone', 1]]));
  const comparisons = compareFigures(base, runs(120, 110, 10));
  assert.deepEqual(comparisons, [
    { name: 'all: # k/s', base: 100, here: 110 },
    { name: 'all: # MiB of #', base: 200, here: 220 },
  ]);
  assert.deepEqual(comparisonTable([...comparisons, { name: 'lost', base: 0, here: 1 }]), [
    'base  here  ratio',
    ' 100   110   1.10  all: # k/s',
    ' 200   220   1.10  all: # MiB of #',
    '   0     1      -  lost',
  ]);
});
