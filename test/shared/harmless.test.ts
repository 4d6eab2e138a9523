// What may not reach a terminal, or forge a line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { harmless, oneLine } from '#shared/harmless.ts';

test('every control and every mark of direction is shown, and nothing else', () => {
  const DIRECTION = [
    0x61c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069,
  ];
  for (let code = 0; code <= 0xffff; code++) {
    const character = String.fromCharCode(code);
    const isControl = (code < 0x20 && code !== 0x09 && code !== 0x0a) || (code >= 0x7f && code <= 0x9f);
    const expected = isControl || DIRECTION.includes(code) ? `\\u${code.toString(16).padStart(4, '0')}` : character;
    assert.equal(harmless(character), expected, code.toString(16));
  }
});

test('a name is one line', () => {
  assert.equal(oneLine('a\nb\r\u2028c'), String.raw`a\u000ab\u000d\u2028c`);
});
