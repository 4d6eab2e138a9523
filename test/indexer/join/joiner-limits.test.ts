// What is not whole in time, or too much, comes out marked; memory is bounded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batch, documentOf, entryOf } from '../parse/documents.ts';
import { Joining, partial } from './joining.ts';

test('what does not complete in time', () => {
  const joining = new Joining();
  joining.part(1);
  assert.deepEqual(joining.after(3000), []);
  joining.part(2);
  joining.part(1, { line: 'm' });
  assert.deepEqual(joining.after(1999), []);
  assert.deepEqual(joining.after(1), [partial('l1 l2 ', '2', 'l1 ', 'l2 ')]);
  assert.deepEqual(joining.after(3000), [partial('m1 ', '1', 'm1 ')]);
  assert.equal(joining.joiner.events, 0);
});

test('an unfinished line keeps what identifies its parts', () => {
  const { joiner } = new Joining();
  const fields = { partial_message: 'true', partial_id: 'i', partial_ordinal: '1', partial_last: 'false' };
  const entry = entryOf({ log: 'x', ...fields });
  joiner.add({ partition: 0, assignmentNumber: 1, batch, index: 0, ref: '' }, entry, 0);
  const [line] = joiner.flush();
  assert(line);
  const { attributes, log } = documentOf(line.entry, { partial: line.partial });
  assert.deepEqual([attributes, log], [fields, { flags: ['partial'] }]);
});

test('a line that is too long', () => {
  const joining = new Joining({ lineBytesMax: 8 });
  joining.part(1, { text: 'aaaa', ref: '1' });
  joining.part(2, { text: 'bbbb', ref: '2' });
  assert.deepEqual(joining.part(3, { text: 'c', ref: '3' }), [partial('aaaabbbb', '2', '1', '2')]);
  assert.deepEqual(joining.part(4, { text: 'd', ref: '4', last: true }), [partial('cd', '?', '3', '4')]);
  // One part alone may be longer than the limit: it is here already.
  assert.deepEqual(joining.part(1, { line: 'm', text: 'e'.repeat(20), ref: '5' }), []);
  assert.deepEqual(joining.part(2, { line: 'm', text: 'f', ref: '6', last: true }), [
    partial('e'.repeat(20), '1', '5'),
    partial('f', '?', '6'),
  ]);
});

test('a line of too many parts', () => {
  const joining = new Joining({ partsMax: 2 });
  joining.part(1);
  joining.part(1, { ref: 'again' });
  assert.deepEqual(joining.part(2, { last: true }), [partial('l1 ', '1', 'l1 ', 'again'), partial('l2 ', '?', 'l2 ')]);
});

test('the oldest goes first when there are too many bytes', () => {
  const joining = new Joining({ bytesMax: 7500, lineBytesMax: 9000 });
  joining.part(1, { line: 'a' });
  joining.part(1, { line: 'b' });
  assert.deepEqual(joining.part(1, { line: 'c', text: 'x'.repeat(2000), ref: 'c' }), [partial('a1 ', '1', 'a1 ')]);
  const passed = joining.part(1, { line: 'd', text: 'x'.repeat(6000), ref: 'd' });
  assert.deepEqual(
    passed.map((line) => line.refs),
    [['b1 '], ['c'], ['d']],
  );
  assert.deepEqual([joining.joiner.bytes, joining.joiner.events], [0, 0]);
});

test('what is lost is dropped, whole lines of it', () => {
  const joining = new Joining();
  joining.part(1, { line: 'a', ref: 'old' });
  joining.part(2, { line: 'a', ref: 'new' });
  joining.part(1, { line: 'b', ref: 'new' });
  assert.deepEqual(
    joining.joiner.drop((ref) => ref === 'old'),
    ['old', 'new'],
  );
  assert.equal(joining.joiner.events, 1);
  assert.deepEqual(joining.joiner.drop(), ['new']);
  assert.deepEqual([joining.joiner.events, joining.joiner.bytes], [0, 0]);
});
