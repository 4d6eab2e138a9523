// A source that was heard regularly and then is not is silent, as long as its partition is read here. The table is
// bounded, whatever senders name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SourceTable } from '#indexer/settle/source-table.ts';

const source = (tag: string) => ({ tenant: null, tag, sender: '10.0.0.1' });
const all = (): boolean => true;

/** Heard in each of these minutes. */
function heard(table: SourceTable, tag: string, from: number, minutes: number, partition = 0): void {
  for (let minute = from; minute < from + minutes; minute += 1) table.heard(partition, source(tag), minute);
}

function check(table: SourceTable, minute: number, active: number, silent: number): void {
  assert.deepEqual(table.count(minute, all), { active, silent }, `minute ${minute}`);
}

test('new, active, silent, forgotten, new', () => {
  const table = new SourceTable();
  check(table, 100, 0, 0);
  heard(table, 'a', 100, 9);
  table.heard(0, source('a'), 108);
  check(table, 108, 0, 0);
  heard(table, 'a', 109, 1);
  heard(table, 'b', 100, 10);
  check(table, 109, 2, 0);
  heard(table, 'b', 110, 9);
  check(table, 118, 2, 0);
  check(table, 119, 1, 1);
  heard(table, 'a', 119, 1);
  check(table, 119, 2, 0);
  check(table, 169, 0, 2);
  check(table, 179, 0, 1);
  check(table, 180, 0, 0);
  heard(table, 'a', 181, 1);
  check(table, 181, 0, 0);
});

test('a clock that is set back makes none silent', () => {
  const table = new SourceTable();
  heard(table, 'a', 1000, 20);
  check(table, 500, 1, 0);
});

test('what other indexers read by now is forgotten', () => {
  const table = new SourceTable();
  heard(table, 'a', 1, 20, 0);
  heard(table, 'b', 1, 20, 1);
  assert.deepEqual(
    table.count(40, (partition) => partition === 1),
    { active: 0, silent: 1 },
  );
  check(table, 40, 0, 1);
});

test('a hundred thousand sources have a row each as far as there are rows', () => {
  const table = new SourceTable();
  for (let minute = 1; minute <= 10; minute += 1)
    for (let i = 0; i < 100_000; i += 1) table.heard(0, source(`tag-${i}`), minute);
  const { active, silent } = table.count(10, all);
  assert(active > 40_000 && active <= 65_536, String(active));
  assert.equal(silent, 0);
});

test('sources that differ in tenant, tag or sender alone are others', () => {
  const table = new SourceTable();
  for (let minute = 1; minute <= 10; minute += 1) {
    for (const tenant of [null, 'x']) {
      for (const tag of ['ab', 'a']) for (const sender of ['c', 'bc']) table.heard(0, { tenant, tag, sender }, minute);
    }
  }
  check(table, 10, 8, 0);
});
