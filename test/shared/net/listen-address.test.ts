import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import {
  type ListenAddress,
  isLoopback,
  listenOn,
  parseListenAddress,
  printAddress,
} from '#shared/net/listen-address.ts';

function check(text: string, expected: ListenAddress, loopback: boolean): void {
  const address = parseListenAddress(text);
  assert.deepEqual(address, expected);
  assert.equal(printAddress(address), text);
  assert.equal(isLoopback(address), loopback, text);
}

function checkInvalid(text: string, why: RegExp): void {
  assert.throws(
    () => parseListenAddress(text),
    (error) => error instanceof SluiceError && error.code === 'config_invalid' && why.test(error.message),
    text,
  );
}

const tcp = (host: string, port: number): ListenAddress => ({ kind: 'tcp', host, port });

test('addresses', () => {
  check('127.0.0.1:24224', tcp('127.0.0.1', 24_224), true);
  check('127.1.2.3:0', tcp('127.1.2.3', 0), true);
  check('localhost:1', tcp('localhost', 1), true);
  check('[::1]:65535', tcp('::1', 65_535), true);
  check('[::ffff:127.0.0.1]:1', tcp('::ffff:127.0.0.1', 1), true);
  check(':9880', tcp('', 9880), false);
  check('0.0.0.0:9880', tcp('0.0.0.0', 9880), false);
  check('[::]:9880', tcp('::', 9880), false);
  check('logs.example.org:9880', tcp('logs.example.org', 9880), false);
  check('unix:/run/sluice.sock', { kind: 'unix', path: '/run/sluice.sock' }, true);
});

test('what is no address', () => {
  checkInvalid('', /has to be host:port/);
  checkInvalid('9880', /has to be host:port/);
  checkInvalid('localhost', /has to be host:port/);
  checkInvalid('localhost:http', /has to be host:port/);
  checkInvalid('::1:9880', /has to be host:port/);
  checkInvalid('http://localhost:9880', /has to be host:port/);
  checkInvalid('local host:9880', /has to be host:port/);
  checkInvalid('localhost:65536', /at most 65535/);
  checkInvalid('unix:sluice.sock', /absolute/);
  checkInvalid(`unix:/${'x'.repeat(107)}`, /at most 107 bytes/);
});

test('a failure says which address, why, and what to do', async () => {
  const first = createServer();
  const bound = await listenOn(first, tcp('127.0.0.1', 0));
  assert(bound.kind === 'tcp' && bound.port > 0);
  const second = createServer();
  await assert.rejects(listenOn(second, bound), (error) => {
    assert(error instanceof SluiceError);
    assert.equal(error.code, 'listen_failed');
    assert.match(error.message, new RegExp(`^Cannot listen on 127.0.0.1:${bound.port}: the address is in use; `));
    return true;
  });
  await new Promise((resolve) => first.close(resolve));
  await assert.rejects(
    listenOn(second, { kind: 'unix', path: '/nowhere/at/all.sock' }),
    /a unix socket a folder that exists/,
  );
  await assert.rejects(listenOn(second, tcp('203.0.113.1', 1)), /no such address/);
});

test('without a host it listens on all addresses', async () => {
  const server = createServer();
  const bound = await listenOn(server, tcp('', 0));
  assert(bound.kind === 'tcp' && !isLoopback(bound));
  await new Promise((resolve) => server.close(resolve));
});
