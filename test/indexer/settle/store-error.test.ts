// Nothing of a document's values comes into the log by way of what Elasticsearch says of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutValues } from '#indexer/settle/store-error.ts';

function check(error: string, expected: string): void {
  test(error.slice(0, 60), () => assert.equal(withoutValues(error), expected));
}

// As Elasticsearch 9.5.3 says them.
check(
  "document_parsing_exception: [1:37] failed to parse field [event.sequence] of type [long] in document with id 'x'. Preview of field's value: 'hunter2': For input string: \"hunter2\"",
  'document_parsing_exception: field event.sequence of type long',
);
check(
  'document_parsing_exception: [1:2] object mapping for [log] tried to parse field [log] as object, but found hunter2',
  'document_parsing_exception',
);
check('illegal_argument_exception: hunter2 is no number', 'illegal_argument_exception');
check('index_closed_exception: closed', 'index_closed_exception: closed');
check('entry 3 is no array', 'entry 3 is no array');
