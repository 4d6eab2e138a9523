import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { GatheringRequest } from '#shared/net/gathering-request.ts';

const SENT = Buffer.alloc(10_000, 'abcdefghijk');

test('small pieces of one read wait together, and say when they are too many', async () => {
  const request = new GatheringRequest(new Socket());
  const wants: boolean[] = [];
  const size = 20;
  for (let i = 0; i < 10; i++)
    for (let at = 0; at < SENT.length; at += size) wants.push(request.push(SENT.subarray(at, at + size)));
  assert.equal(wants.indexOf(false), Math.ceil(request.readableHighWaterMark / size) - 1);
  request.push(null);
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  assert(Buffer.concat(pieces).equals(Buffer.concat(Array.from({ length: 10 }, () => SENT))));
  assert(pieces.length < 20, `${pieces.length} pieces`);
});

test('the order stays, whatever the sizes and wherever the reads end', async () => {
  for (let seed = 1; seed < 50; seed++) {
    const request = new GatheringRequest(new Socket());
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    for (let at = 0, step = seed; at < SENT.length; step = (step * 7919) % 5003) {
      const size = 1 + (step % (step % 3 === 0 ? 4000 : 40));
      request.push(SENT.subarray(at, at + size));
      at += size;
      if (step % 5 === 0) await turn();
    }
    request.push(null);
    await new Promise((resolve) => request.once('end', resolve));
    assert(Buffer.concat(pieces).equals(SENT), `seed ${seed}`);
  }
});

test('a small piece alone is not copied, and comes without another read', async () => {
  const request = new GatheringRequest(new Socket());
  const piece = Buffer.from('alone');
  const came = new Promise((resolve) => request.once('data', resolve));
  request.push(piece);
  assert.equal(await came, piece);
  assert(request instanceof IncomingMessage);
});

test('of a request that is gone nothing comes', async () => {
  const request = new GatheringRequest(new Socket());
  request.on('data', () => assert.fail('it is gone'));
  request.push(Buffer.of(1));
  request.destroy();
  await turn();
  await turn();
});
