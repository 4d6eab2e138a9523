import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkSet, UNIX_PEER, holdsNearlyAll, parseNetwork, peerAddress } from '#shared/net/networks.ts';

function check(network: string, address: string, expected: boolean) {
  test(`${address} is ${expected ? '' : 'not '}in ${network}`, () => {
    const parsed = parseNetwork(network);
    assert.ok(parsed);
    assert.equal(new NetworkSet([parsed]).has(address), expected);
  });
}

check('10.0.0.0/8', '10.255.1.2', true);
check('10.0.0.0/8', '11.0.0.1', false);
check('192.0.2.7', '192.0.2.7', true);
check('192.0.2.7', '192.0.2.8', false);
check('0.0.0.0/0', '203.0.113.9', true);
check('2001:db8::/32', '2001:db8::1', true);
check('2001:db8::/32', '2001:db9::1', false);
check('::1', '::1', true);
check('0.0.0.0/0', 'unix', false);

for (const text of ['', '10', '10.0.0.0/33', '10.0.0.0/-1', '::/129', 'localhost', '10.0.0.0/8/8', 'fe80::1%eth0']) {
  test(`"${text}" is no network`, () => assert.equal(parseNetwork(text), null));
}

test('an IPv4 address is itself, however the socket calls it', () => {
  assert.equal(peerAddress('::ffff:10.1.2.3', 'tcp'), '10.1.2.3');
  assert.equal(peerAddress('10.1.2.3', 'tcp'), '10.1.2.3');
  assert.equal(peerAddress('::1', 'tcp'), '::1');
  assert.equal(peerAddress(undefined, 'unix'), UNIX_PEER);
});

// A connection that is reset before it is accepted has no address, as one on a unix socket has none.
test('who has no address on a TCP socket is nobody', () => {
  assert.equal(peerAddress(undefined, 'tcp'), null);
  assert.equal(peerAddress('', 'tcp'), null);
});

for (const [text, expected] of [
  ['', false],
  ['10.0.0.0/8', false],
  ['10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7', false],
  ['0.0.0.0/0', true],
  ['0.0.0.0/1,128.0.0.0/1', true],
  ['0.0.0.0/1', true],
  ['10.0.0.0/8,10.0.0.0/8,10.0.0.0/8', false],
  [Array.from({ length: 32 }, (_, i) => `${i * 8}.0.0.0/8`).join(), true],
  ['::/0', true],
  ['2000::/3', true],
  ['2000::/4', true],
  ['2000::/5,2800::/5', true],
  ['2001::/16,2400::/6,2600::/6,2800::/7,2a00::/7,2c00::/7', true],
  ['2a00::/12', false],
  ['2001:db8::/32,2a02:1234::/32', false],
  // IPv4 addresses by their mapped form.
  ['2001:db8::/32,::ffff:0:0/96', true],
  ['::/80', true],
  ['::/16', true],
  ['::/8', true],
  ['::ffff:0:0/97', true],
  ['::ffff:0.0.0.0/97,128.0.0.0/1', true],
  ['::ffff:10.0.0.0/104,10.0.0.0/8', false],
  ['::ffff:10.0.0.0/104,::/96,2001:db8::/32', false],
  ['::1.2.3.4/128,fe80::/10', false],
] as const) {
  test(`networks that keep nobody out: ${text || 'none'}: ${expected}`, () => {
    assert.equal(holdsNearlyAll(text.split(',').flatMap((network) => parseNetwork(network) ?? [])), expected);
  });
}

test('an address with a zone is looked up without an error', () => {
  assert.equal(new NetworkSet([parseNetwork('fe80::/10')!]).has('fe80::1%eth0'), true);
});

test('a network of IPv6 in which mapped addresses lie holds those of IPv4', () => {
  for (const [network, ...held] of [
    ['::ffff:0:0/96', '10.1.2.3', '200.1.2.3'],
    ['::/8', '10.1.2.3', '200.1.2.3'],
    ['::ffff:10.0.0.0/104', '10.1.2.3'],
    ['::/96'],
  ] as const) {
    const set = new NetworkSet([parseNetwork(network)!]);
    for (const address of ['10.1.2.3', '200.1.2.3'] as const) {
      assert.equal(set.has(address), (held as readonly string[]).includes(address), `${address} in ${network}`);
    }
  }
});
