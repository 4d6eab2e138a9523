import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkSet, parseNetwork, peerAddress } from '#shared/networks.ts';

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
  assert.equal(peerAddress('::ffff:10.1.2.3'), '10.1.2.3');
  assert.equal(peerAddress('10.1.2.3'), '10.1.2.3');
  assert.equal(peerAddress('::1'), '::1');
  assert.equal(peerAddress(undefined), 'unix');
});
