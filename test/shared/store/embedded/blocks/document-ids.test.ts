// Names of documents, as runs: what each has alone, all of them have in a row, and where they stand before their
// documents in the body of a bulk request.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { idAt, namesOf, nameOf, runsBefore, runsOf } from '#shared/store/embedded/blocks/document-ids.ts';
import { isIdBefore } from '#shared/store/embedded/blocks/parts/written-ids.ts';

it('names in a row are those that each has alone', () => {
  const key = fc.constantFrom(Buffer.alloc(16), Buffer.alloc(16, 255), Buffer.from('0123456789abcdef'));
  const id = fc.oneof(
    fc.tuple(key, fc.nat(0xffff_ffff)).map(([bytes, index]) => {
      const all = Buffer.concat([bytes, Buffer.alloc(4)]);
      all.writeUInt32BE(index, 16);
      return all.toString('base64url');
    }),
    fc.stringMatching(/^[A-Za-z0-9_-]{26}[A-Za-z0-9_ é-]$/),
    fc.constantFrom('a'.repeat(27), `${'A'.repeat(26)}B`, `${'A'.repeat(26)}+`, `${'A'.repeat(21)}Q${'A'.repeat(5)}`),
  );
  fc.assert(
    fc.property(fc.array(id, { maxLength: 12 }), (ids) => {
      assert.deepEqual(namesOf(ids), ids.map(nameOf));
      // Where they stand before their documents, as the indexer writes them.
      const lines = ids.map((each) => Buffer.from(`{"create":{"_index":"logs-a-default","_id":"${each}"}}\n{}\n`));
      let at = 0;
      const starts = lines.map(({ length }) => (at += length) - '{}\n'.length);
      const body = Buffer.concat(lines);
      const isAscii = ids.every((each) => Buffer.from(each).length === each.length);
      assert.equal(
        starts.every((start) => isIdBefore(body, start)),
        isAscii,
      );
      if (!isAscii) return;
      assert.deepEqual(
        starts.map((start) => idAt(body, start)),
        ids,
      );
      assert.deepEqual(runsBefore(body, starts), runsOf(ids.map(nameOf)));
    }),
    { numRuns: 2000 },
  );
});

it('a name that stands before its document in another form is none', () => {
  const id = 'A'.repeat(27);
  const good = `{"create":{"_index":"x","_id":"${id}"}}\n`;
  assert.equal(isIdBefore(Buffer.from(`${good}{}`), good.length), true);
  for (const other of [
    good.replace('"_id"', '"_it"'),
    good.replace(id, `${id}A`),
    good.replace(id, id.slice(1)),
    good.replace('}}\n', '}} \n'),
    good.slice(28),
    '',
  ])
    assert.equal(isIdBefore(Buffer.from(`${other}{}`), other.length), false, other);
});
