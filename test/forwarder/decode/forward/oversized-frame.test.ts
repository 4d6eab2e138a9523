// A frame that is larger than what is held is the same kind of frame as a small one with these bytes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { ForwardDecoder } from '#forwarder/decode/forward/forward-frame.ts';
import {
  BODY_HEAD_BYTES,
  bodyStart,
  FramePasser,
  oversizedEntries,
} from '#forwarder/decode/forward/oversized-frame.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const LARGE = 'x'.repeat(5000);
const EVENT_TIME = 'd700 6553f100 00000000';
const METADATA = Buffer.from(encode({ of: LARGE }));
const OPTION = Buffer.from(encode({ chunk: 'id' }));

function kindsOf(frame: Buffer): [small: string, large: string] {
  const { kind } = new ForwardDecoder().decode(frame);
  const passer = FramePasser.of(frame, 1e6);
  assert.ok(passer);
  const oversized = passer.next();
  assert.ok(typeof oversized === 'object');
  const at = bodyStart(oversized);
  assert.ok(at !== null);
  return [kind, oversizedEntries(oversized, frame.subarray(at, at + BODY_HEAD_BYTES))?.kind ?? 'message'];
}

function check(what: string, expected: string, elements: readonly Buffer[]): void {
  test(`${what}: ${expected}`, () => {
    const frame = Buffer.concat([Buffer.of(0x91 + elements.length), encode('app'), ...elements]);
    assert.deepEqual(kindsOf(frame), [expected, expected]);
  });
}

const forward = (first: Buffer): Buffer[] => {
  const body = Buffer.concat([hex('dd00000003'), first, encode([1, { log: LARGE }]), encode([2, { log: 'b' }])]);
  return [body, OPTION];
};
const message = (header: string, time: string): Buffer[] => {
  const body = Buffer.concat([hex(header), hex(time), METADATA]);
  return [body, Buffer.from(encode({ log: 'x' })), OPTION];
};

check('entries', 'forward', forward(Buffer.from(encode([1, {}]))));
for (const first of [
  'c0',
  'c2',
  '05',
  'e0',
  'cb3ff0000000000000',
  EVENT_TIME,
  'a161',
  'c40100',
  '80',
  '90',
  'd40000',
]) {
  check(`the first entry is ${first}`, 'forward', forward(hex(first)));
}
for (const first of ['a161', '80', '90', 'c3', 'd40000', 'd701 0000000000000000']) {
  const body = Buffer.concat([hex('92'), hex(first), encode([1, { log: LARGE }])]);
  check(`two, of which the first is ${first}`, 'forward', [body, OPTION]);
}
check('two, a number and an entry', 'forward', [Buffer.concat([hex('92 05'), encode([1, { log: LARGE }])]), OPTION]);
check('one, a number of bytes', 'forward', [Buffer.concat([hex('91 c5 1388'), Buffer.alloc(5000)]), OPTION]);
for (const header of ['92', 'dc0002', 'dd00000002']) {
  for (const time of ['05', 'e0', 'ce6553f100', 'cb3ff0000000000000', 'c0', EVENT_TIME, 'c70800 6553f100 00000000']) {
    check(`a time ${time} with metadata, in ${header}`, 'message', message(header, time));
  }
}
