// The kernel's table of UDP sockets, a line a case.

import assert from 'node:assert/strict';
import { endianness } from 'node:os';
import { test } from 'node:test';
import { udpDrops } from '#forwarder/decode/proc-net-udp.ts';

const head =
  '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops';
const row = (local: string, drops: number) =>
  `  402: ${local} 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 9167 2 0000000000000000 ${drops}`;

test('udp drops', { skip: endianness() === 'LE' ? false : 'SKIPPED: the table is of a little-endian machine' }, () => {
  const table = [
    head,
    row('0100007F:0202', 17),
    row('00000000:0202', 18),
    row('0A01A8C0:1F90', 19),
    row('00000000000000000000000000000000:0202', 20),
    row('00000000000000000000000001000000:0202', 21),
    row('B80D0120000000000000000001000000:0202', 22),
    row('0000000000000000FFFF00000100007F:0202', 23),
    row('0100007F:0303', 1),
    row('0100007F:0303', 2),
    'something else',
  ].join('\n');
  for (const [host, port, drops] of [
    ['127.0.0.1', 514, 17],
    ['0.0.0.0', 514, 18],
    ['192.168.1.10', 8080, 19],
    ['::', 514, 20],
    ['::1', 514, 21],
    ['2001:db8::1', 514, 22],
    ['::ffff:127.0.0.1', 514, 23],
    ['127.0.0.1', 515, null],
    ['127.0.0.1', 771, null],
  ] as const)
    assert.equal(udpDrops(table, host, port), drops, `${host}:${port}`);
  assert.equal(udpDrops('', '127.0.0.1', 514), null);
});
