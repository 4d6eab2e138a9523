// The door of an input: nobody is let in without an address, and connections are counted until they end, once.

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ConnectionLimit,
  ConnectionTotal,
  collectedFilesWithin,
  connectionsWithin,
  frameFilesWithin,
  openFilesMax,
} from '#forwarder/admit/connection-limit.ts';
import { openDoor } from './open-door.ts';

class FakeSocket extends EventEmitter {
  readonly remoteAddress: string | undefined;
  destroyed = false;

  constructor(remoteAddress: string | undefined) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }

  get asSocket(): Socket {
    return this as unknown as Socket;
  }
}

function check(what: string, remoteAddress: string | undefined, listensOn: 'tcp' | 'unix', expected: string | null) {
  test(`${what}: ${expected}`, () => {
    const socket = new FakeSocket(remoteAddress);
    const door = openDoor({ admits: (address) => address !== '192.0.2.1' });
    assert.equal(door.enter(socket.asSocket, listensOn), expected);
    assert.equal(socket.destroyed, expected === null);
  });
}
check('a peer that may connect', '10.0.0.1', 'tcp', '10.0.0.1');
check('one that may not', '192.0.2.1', 'tcp', null);
check('one that is gone', undefined, 'tcp', null);
check('one on a unix socket', undefined, 'unix', 'unix');

test('a connection that was reset before it was accepted is let in by no door', async () => {
  const server = createServer({ pauseOnConnect: true });
  const entered: (string | null)[] = [];
  const refused: (string | undefined)[] = [];
  const door = openDoor({ admits: () => false });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    refused.push(socket.remoteAddress);
    entered.push(door.enter(socket, 'tcp'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const attempts = 200;
  for (let i = 0; i < attempts; i++) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.resetAndDestroy();
  }
  while (entered.length < attempts) await new Promise((resolve) => setImmediate(resolve));
  server.close();
  assert.deepEqual(new Set(entered), new Set([null]));
  assert.equal(refused.length, attempts);
});

test('counts are those of a plain model, whatever comes and goes', () => {
  const step = fc.record({ address: fc.constantFrom('a', 'b', 'c'), leaves: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const all = new ConnectionTotal(6);
      const limit = new ConnectionLimit({ max: 5, perAddressMax: 3, all });
      const open: { address: string; permit: Disposable }[] = [];
      for (const { address, leaves } of steps) {
        const ours = open.filter((connection) => connection.address === address);
        if (leaves) {
          const [last] = ours;
          last?.permit[Symbol.dispose]();
          if (last) open.splice(open.indexOf(last), 1);
        } else {
          const permit = limit.enter(address);
          assert.equal(permit !== null, open.length < 5 && ours.length < 3);
          if (permit) open.push({ address, permit });
        }
        assert.equal(limit.count, open.length);
        assert.equal(all.count, open.length);
      }
    }),
  );
});

test('a machine has no more connections by the addresses that it has for itself', () => {
  const limit = new ConnectionLimit({ max: 10, perAddressMax: 3, all: new ConnectionTotal(10) });
  for (const address of ['127.0.0.1', '127.0.0.2', '127.255.0.3']) assert.ok(limit.enter(address), address);
  assert.equal(limit.enter('127.1.2.3'), null);
  assert.ok(limit.enter('128.0.0.1'));
});

test('two inputs share what the process may have open', () => {
  const all = new ConnectionTotal(2);
  const [one, two] = [1, 2].map(() => new ConnectionLimit({ max: 10, perAddressMax: 10, all }));
  const first = one?.enter('a');
  assert.ok(first && two?.enter('a'));
  assert.equal(one?.enter('b'), null);
  first[Symbol.dispose]();
  assert.ok(two?.enter('b'));
});

for (const [files, expected] of [
  [1024, 768],
  [256, 128],
  [100, 1],
  [1_048_576, 786_432],
] as const) {
  test(`${files} open files leave room for ${expected} connections`, () => {
    assert.equal(connectionsWithin(files, false), expected);
    const collecting = connectionsWithin(files, true);
    assert.ok(
      collecting === 1 || collecting + collectedFilesWithin(files) === expected,
      'files are taken from connections',
    );
    const reserved = Math.max(1, files - expected);
    assert.ok(frameFilesWithin(files) <= reserved / 2, 'files of frames leave half of the rest to the process');
  });
}

test('the system tells how many files may be open', () => assert.ok(openFilesMax() > 0));
