// What systemd hands over, from the words of its protocol to the addresses of the settings.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { isLoopback, parseListenAddress } from '#shared/net/listen-address.ts';
import { localAddress, withInheritedSockets } from '../../services/sluice/process/socket-activation.ts';

const row = (local: string, inode: number): string =>
  `   0: ${local} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0000000000000000 100 0 0 10 0`;
const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const files: Record<string, string> = {
  '/proc/self/net/tcp': [head, row('0100007F:5EA0', 11), row('00000000:2698', 13)].join('\n'),
  '/proc/self/net/tcp6': [head, row('00000000000000000000000000000000:5EA0', 15)].join('\n'),
  '/proc/self/net/udp': [head, row('0100007F:5EA0', 12)].join('\n'),
};
const links: Record<string, string> = {
  '/proc/self/fd/3': 'socket:[11]',
  '/proc/self/fd/4': 'socket:[12]',
  '/proc/self/fd/5': 'socket:[13]',
  '/proc/self/fd/6': 'socket:[15]',
  '/proc/self/fd/7': '/var/log/messages',
};

function from(table: Record<string, string>): (path: string) => string {
  return (path) => {
    const found = table[path];
    if (found === undefined) throw new Error(`ENOENT: ${path}`);
    return found;
  };
}

const facts = { pid: 42, readFile: from(files), readLink: from(links) };

/** SLUICE_FORWARD_LISTEN as it is after systemd handed over descriptors of these names, from 3 on. */
function resolved(listen: string, names: string, more: Record<string, string> = {}): string {
  const count = String(names.split(':').length);
  const env = { LISTEN_PID: '42', LISTEN_FDS: count, LISTEN_FDNAMES: names, ...more };
  const config = loadConfig({ env: { SLUICE_FORWARD_LISTEN: listen }, readFile: facts.readFile });
  return withInheritedSockets(config, { ...facts, env })['forward.listen'];
}

test('a name becomes its descriptors and the address where they are bound', () => {
  assert.equal(resolved('systemd:forward', 'forward:forward'), 'fd:3,4@127.0.0.1:24224');
  assert.equal(resolved('systemd:forward', 'forward:other'), 'fd:3@127.0.0.1:24224');
  assert.equal(resolved('systemd:third', 'a:b:third'), 'fd:5@0.0.0.0:9880');
  assert.equal(resolved('systemd:six', 'a:b:c:six'), 'fd:6@[::]:24224');
  assert.equal(resolved('127.0.0.1:1', 'forward'), '127.0.0.1:1');
});

test('what was meant for another process is not taken', () => {
  assert.equal(resolved('systemd:forward', 'forward', { LISTEN_PID: '41' }), 'systemd:forward');
  assert.equal(resolved('systemd:forward', 'forward', { LISTEN_FDS: 'x' }), 'systemd:forward');
  assert.equal(resolved('systemd:forward', 'forward', { LISTEN_FDS: '0' }), 'systemd:forward');
  assert.throws(() => parseListenAddress('systemd:forward'), /systemd handed over no socket of that name/);
});

test('what is not one address is refused', () => {
  assert.throws(() => resolved('systemd:other', 'forward:forward'), /handed over 0 and 0$/);
  assert.throws(() => resolved('systemd:a', 'a:b:a'), /handed over 2 and 0$/);
  assert.throws(() => resolved('systemd:b', 'a:b'), /handed over 0 and 1$/);
  assert.throws(() => resolved('systemd:file', 'a:b:c:d:file'), /descriptor 7 is no TCP or UDP socket/);
  assert.throws(() => resolved('systemd:none', 'a:b:c:d:e:none'), /descriptor 8 is no TCP or UDP socket/);
});

test('the address that a socket has tells who reaches it', () => {
  const address = parseListenAddress(resolved('systemd:forward', 'forward:forward'));
  assert.deepEqual(address, { kind: 'tcp', host: '127.0.0.1', port: 24_224, inherited: { stream: 3, datagram: 4 } });
  assert(isLoopback(address));
  assert(!isLoopback(parseListenAddress(resolved('systemd:third', 'a:b:third'))));
});

test('rows of /proc/net', () => {
  const ipv6 = row('B80D0120000000000000000001000000:0001', 7);
  assert.deepEqual(localAddress(ipv6, '7'), { kind: 'tcp', host: '2001:db8::1', port: 1 });
  assert.equal(localAddress(ipv6, '8'), null);
  assert.equal(localAddress('', '7'), null);
  assert.equal(localAddress(row('zz:1', 7), '7'), null);
});
