// Three bytes of JSON may become nine of msgpack. In no dialect is more made of a body than may be, and a little,
// before it is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConversionName, conversions } from '#forwarder/dialects/conversions.ts';
import { OPTIONS } from '../decode/http/http-entries.ts';

const MIB = 1024 * 1024;
const BYTES_MAX = 4 * MIB;
const numbers = `[${'-0,'.repeat(MIB)}0]`;
const options = { ...OPTIONS, bytesMax: BYTES_MAX };
const time = '1795379400000000000';

const numbersBy: readonly (readonly [ConversionName, string, object?])[] = [
  ['body', `{"a":${numbers}}`, { format: 'json' }],
  ['body', `[[1,{"a":${numbers}}]]`, { format: 'json' }],
  ['bulk', `{"create":{"_index":"a"}}\n{"a":${numbers}}\n`, { index: null }],
  ['hec', `{"event":{"a":${numbers}}}`],
  ['lokiJson', `{"streams":[{"stream":{},"values":[["${time}","x"]],"a":${numbers}}]}`],
  ['otlpJson', `{"resourceLogs":[{"a":${numbers}}]}`],
];

test('numbers that grow are refused before they have grown', (t) => {
  const allocate = t.mock.method(Buffer, 'allocUnsafeSlow');
  for (const [name, text, given] of numbersBy) {
    allocate.mock.resetCalls();
    const converted = conversions[name](Buffer.from(text), { ...options, ...given } as never);
    assert.equal('kind' in converted && converted.kind, 'too_large', name);
    const most = Math.max(...allocate.mock.calls.map(({ arguments: [size] }) => size));
    assert(most > MIB && most <= 2 * BYTES_MAX, `${name}: ${most} bytes`);
  }
});
