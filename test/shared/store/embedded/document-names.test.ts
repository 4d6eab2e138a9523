// Names as ranges: the same as a set of single names, whatever is taken and released.

import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import fc from 'fast-check';
import { isDamaged } from '#shared/sqlite/database.ts';
import { DocumentNames, NAMES_TABLE } from '#shared/store/embedded/tables/document-names.ts';

it('are those of a plain set', () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b'),
    isTaken: fc.boolean(),
    first: fc.nat(30),
    length: fc.integer({ min: 1, max: 12 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const database = new DatabaseSync(':memory:');
      database.exec(NAMES_TABLE);
      const names = new DocumentNames(database);
      const plain = new Set<string>();
      for (const { key, isTaken, first, length } of steps) {
        const last = first + length - 1;
        const indices = Array.from({ length }, (_, i) => first + i);
        if (isTaken) {
          const free = names.take({ key: Buffer.from(key), first, last });
          assert.deepEqual(
            free.flatMap((range) => indices.filter((index) => index >= range.first && index <= range.last)),
            indices.filter((index) => !plain.has(`${key}${index}`)),
          );
          for (const index of indices) plain.add(`${key}${index}`);
        } else {
          names.release({ key: Buffer.from(key), first, last });
          for (const index of indices) plain.delete(`${key}${index}`);
        }
      }
      const kept: string[] = [];
      for (const { batch, first, last } of database.prepare('SELECT * FROM names ORDER BY batch, first').iterate())
        for (let index = Number(first); index <= Number(last); index++)
          kept.push(`${Buffer.from(batch as Uint8Array).toString()}${index}`);
      assert.deepEqual(kept.toSorted(), [...plain].toSorted());
      database.close();
    }),
    { numRuns: 300 },
  );
});

it('of many batches at once: each is taken once, wherever one of them is there already', () => {
  const keys = fc.array(fc.tuple(fc.nat(120), fc.constantFrom(0, 0, 0, 0, 0, 1)), { maxLength: 150 });
  fc.assert(
    fc.property(fc.array(keys, { minLength: 1, maxLength: 4 }), fc.boolean(), (requests, isInTransaction) => {
      const [one, other] = Array.from({ length: 2 }, () => {
        const database = new DatabaseSync(':memory:');
        database.exec(NAMES_TABLE);
        return database;
      });
      assert(one && other);
      const [together, single] = [new DocumentNames(one), new DocumentNames(other)];
      // The first ones are nowhere yet, and are taken at once.
      const all = [Array.from({ length: 70 }, (_, i) => [1000 + i, 0] as const), ...requests];
      for (const request of all) {
        const runs = request.map(([key, last]) => ({ key: Buffer.from(`batch ${key}`), first: 0, last }));
        if (isInTransaction) one.exec('BEGIN');
        assert.deepEqual(
          together.takeAll(runs),
          runs.map((run) => single.take(run)),
        );
        if (isInTransaction) one.exec('COMMIT');
      }
      const rowsOf = (database: DatabaseSync) => database.prepare('SELECT * FROM names').all();
      assert.deepEqual(rowsOf(one), rowsOf(other));
      one.close();
      other.close();
    }),
    { numRuns: 100 },
  );
});

for (const [what, first, last] of [
  ['ends before it begins', 7, 5],
  ['begins nowhere', null, 9],
] as const)
  it(`a range that ${what} is damage, and no loop`, () => {
    const names = new DocumentNames(contradicting({ first, last }));
    const damaged = (error: unknown): boolean => isDamaged(error);
    assert.throws(() => names.release({ key: Buffer.from('a'), first: 0, last: 9 }), damaged);
    assert.throws(() => names.take({ key: Buffer.from('a'), first: 1, last: 9 }), damaged);
  });

it('a range that is found and cannot be deleted is damage, and no loop', () => {
  const names = new DocumentNames(contradicting({ first: 0, last: 9 }));
  assert.throws(
    () => names.release({ key: Buffer.from('a'), first: 0, last: 9 }),
    (error) => isDamaged(error),
  );
});

/** Finds this range whatever is asked, and deletes nothing: as a table does in which a bit is flipped. */
function contradicting(row: object): DatabaseSync {
  const statement = { get: () => row, run: () => ({ changes: 0 }) };
  return { prepare: () => statement } as unknown as DatabaseSync;
}
