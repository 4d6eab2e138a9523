// Time that passes for retention, while wall clocks step.

import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { PassedTime } from '#shared/sqlite/passed-time.ts';

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

/** Steps of the wall clock in hours, one after another; null: the process is started again. Hours that have passed. */
function passedAfter(steps: readonly (number | null)[]): number {
  using database = new DatabaseSync(':memory:');
  let time = new PassedTime(database, () => undefined);
  let epochMs = 2e12;
  let monotonicMs = 0;
  let passedMs = time.at({ epochMs, monotonicMs });
  for (const step of steps) {
    if (step === null) {
      time.keep();
      time = new PassedTime(database, () => undefined);
      monotonicMs = 5;
      continue;
    }
    epochMs += step * HOUR;
    passedMs = time.at({ epochMs, monotonicMs });
  }
  return passedMs / HOUR;
}

const again = (times: number, steps: readonly (number | null)[]) => Array.from({ length: times }, () => steps).flat();

for (const [what, steps, hours] of [
  ['a stop', [null, 3], 3],
  ['a small step back and ahead again', again(5, [-23, 23]), 0],
  ['a large one back, and ahead in smaller ones', again(10, [-25, 23]), 0],
  ['and with restarts between', again(10, [-25, null, 23, null]), 0],
  ['back by two days, ahead by four times twelve hours, and a stop of one', [-48, 12, 12, 12, 12, null, 1], 1],
  ['a year ahead, and a stop', [YEAR / HOUR, null, 3], 3],
  ['a year ahead and back again, and a stop', [YEAR / HOUR, null, -YEAR / HOUR, null, 3], 3],
  ['a clock that begins in 1970 at each start', again(5, [-20_000, 20_003, null]), 0],
] as const) {
  test(`${what}: ${hours} hours have passed`, () => assert.equal(passedAfter(steps), hours));
}

test('a flipped bit of what is written down passes no time, and is told', () => {
  for (const [row, column] of [
    [0, 'passed'],
    [0, 'wall'],
    [1, 'passed'],
    [2, 'passed'],
    [2, 'wall'],
    [3, 'passed'],
  ] as const)
    for (let bit = 0n; bit < 63n; bit++) {
      using database = new DatabaseSync(':memory:');
      const before = new PassedTime(database, () => undefined);
      before.at({ epochMs: 2e12, monotonicMs: 0 });
      before.at({ epochMs: 2e12 + 7 * HOUR, monotonicMs: 7 * HOUR });
      before.keep();
      const mask = 1n << bit;
      database
        .prepare(`UPDATE passed_time SET ${column} = (${column} | ?1) - (${column} & ?1) WHERE id = ?2`)
        .run(mask, row);
      const told: string[] = [];
      const time = new PassedTime(database, (message) => told.push(message));
      const passedMs = time.at({ epochMs: 2e12 + 7 * HOUR, monotonicMs: 0 });
      const flipped = `bit ${bit} of ${column} in row ${row}: ${passedMs}`;
      assert(passedMs <= 7 * HOUR, flipped);
      if (row === 0) assert.equal(passedMs, 7 * HOUR, flipped);
      if (row === 0) assert.match(told[0] ?? '', /is damaged, .*its copy is taken/);
    }
});

test('what an older version wrote down is believed, as far as it harms nothing', () => {
  using database = new DatabaseSync(':memory:');
  const before = new PassedTime(database, () => undefined);
  before.at({ epochMs: 2e12, monotonicMs: 0 });
  before.keep();
  // It does not know the other rows.
  database.exec(`UPDATE passed_time SET passed = passed + ${9 * HOUR}, wall = wall + ${9 * HOUR} WHERE id = 0`);
  const time = new PassedTime(database, () => undefined);
  assert.equal(time.at({ epochMs: 2e12 + 10 * HOUR, monotonicMs: 0 }), 10 * HOUR);
  database.exec('DELETE FROM passed_time WHERE id > 0');
  const plain = new PassedTime(database, () => undefined);
  assert.equal(plain.at({ epochMs: 2e12 + 10 * HOUR, monotonicMs: 0 }), 10 * HOUR);
});
