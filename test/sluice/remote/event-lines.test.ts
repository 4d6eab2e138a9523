// Server-sent events, cut anywhere, are the same events.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventLines } from '../../../services/sluice/remote/event-lines.ts';

const TEXT = [
  ': following\nid: 7\n\n',
  'id: 8\ndata: {"a":"x: y"}\n\n',
  'data:one\ndata: two\nid\n\n',
  'event: end\ndata: {}\nretry: 5\n\n',
  'id: 9\ndata: not ended\n',
].join('');
const EVENTS = [
  { id: '7', data: '', name: '' },
  { id: '8', data: '{"a":"x: y"}', name: '' },
  { id: '', data: 'one\ntwo', name: '' },
  { id: '', data: '{}', name: 'end' },
];

test('cut at every place, and byte by byte', () => {
  for (let at = 0; at <= TEXT.length; at++) {
    const lines = new EventLines();
    assert.deepEqual([...lines.add(TEXT.slice(0, at)), ...lines.add(TEXT.slice(at))], EVENTS, `cut at ${at}`);
  }
  const lines = new EventLines();
  assert.deepEqual(
    TEXT.split('').flatMap((character) => lines.add(character)),
    EVENTS,
  );
  assert.deepEqual(lines.add('\n'), [{ id: '9', data: 'not ended', name: '' }]);
});

test('an event that does not end is given up, in one line or in many', () => {
  for (const piece of ['x', 'data: xxx\n', 'data\n']) {
    const lines = new EventLines(100);
    assert.throws(() => {
      for (let i = 0; i < 1000; i++) lines.add(piece);
    }, /too long/);
  }
  const lines = new EventLines(100);
  for (let i = 0; i < 1000; i++) lines.add('id: 7\ndata: xxx\n\n: nothing new\n\n');
});
