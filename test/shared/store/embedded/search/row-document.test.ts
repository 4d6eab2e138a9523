// A document that is passed on as it is stored: what it says is the same, read or not, and it is on one line.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RowDocument, storedDocument } from '#shared/store/embedded/search/row-page.ts';

for (const [name, source, text] of [
  ['as the indexer writes it', '{"message":"a\\r\\nb","n":1.50}', '{"message":"a\\r\\nb","n":1.50}'],
  ['with line ends between its values', '{"a":1,\r\n"b":\r[2]}', '{"a":1,  "b": [2]}'],
] as const) {
  it(name, () => {
    const row = { rowid: 7, id: 'id', stream: 'logs', time: '12', sequence: 3, source };
    const document = new RowDocument(row);
    assert.equal(document.text, text);
    const { id, index, sort } = document;
    assert.deepEqual({ id, index, sort, source: document.source }, storedDocument(row));
    assert.deepEqual(JSON.parse(document.text), JSON.parse(source));
  });
}
