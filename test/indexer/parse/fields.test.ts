// What is found of the names of a record: whatever records came before it, and whatever was taken from those.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { FieldTable, KeyStack } from '#indexer/parse/fields.ts';

const names = ['a', 'b', 'http', 'http.version', 'http.request', 'http.request.id', 'z'];

/** What the table finds in the map, and what is left once these names are taken. */
function found(table: FieldTable, map: Uint8Array, take: readonly number[]): unknown {
  const keys = new KeyStack();
  const end = table.index(map, 0, map.length, keys);
  const values = [...table.values];
  for (const name of take) if (table.values[name] !== 0) table.take(name);
  const left = [...keys.positions.subarray(0, keys.top)];
  return { end, values, met: [...table.found.positions.subarray(0, table.found.top)], left, taken: [...table.taken] };
}

test('a table that was used before finds what a new one finds', () => {
  const value = fc.oneof(
    fc.constant(1),
    fc.constant({ version: 1 }),
    fc.constant({ request: { id: 'x' }, version: 2 }),
  );
  const map = fc.array(fc.tuple(fc.constantFrom(...names, 'other'), value), { maxLength: 8 }).map((pairs) =>
    // With keys that come again, which an object cannot have.
    Buffer.concat([Buffer.from([0x80 | pairs.length]), ...pairs.flat().map((each) => encode(each))]),
  );
  const taken = fc.array(fc.nat(names.length - 1), { maxLength: 3 });
  fc.assert(
    fc.property(fc.array(fc.tuple(map, taken), { minLength: 1, maxLength: 5 }), (maps) => {
      const used = new FieldTable(names, 2);
      for (const [bytes, take] of maps)
        assert.deepEqual(found(used, bytes, take), found(new FieldTable(names, 2), bytes, take));
      used.clear();
      assert(used.values.every((at) => at === 0));
    }),
    { numRuns: 1000 },
  );
});
