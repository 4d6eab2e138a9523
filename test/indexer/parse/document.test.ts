// The document of an entry, field by field. The second column is what is added to, or changed in, the document of an
// empty record.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentOf, entryOf, hex, outcomeOf, textOf, batch, TRUSTED } from './documents.ts';

const plain = {
  '@timestamp': '2026-01-02T03:04:05.000Z',
  fluentd: { tag: 'app.web' },
  event: { ingested: '2026-01-02T03:04:06.120Z', sequence: 1_767_323_045_678_000 },
};

function check(entry: Uint8Array, expected: object): void {
  assert.deepEqual(documentOf(entry), { ...plain, ...expected }, textOf(entry));
}

const record = (fields: object): Buffer => entryOf(fields);
const attributes = (fields: object): object => ({ attributes: fields });

test('an empty record', () => check(record({}), {}));

test('message', () => {
  check(record({ log: 'a' }), { message: 'a' });
  check(record({ log: 'a\n' }), { message: 'a\n' });
  check(record({ log: '' }), { message: '' });
  check(record({ message: 'a' }), { message: 'a' });
  check(record({ msg: 'a' }), { message: 'a' });
  check(record({ MESSAGE: 'a' }), { message: 'a' });
  check(record({ message: 'a', log: 'b' }), { message: 'b', ...attributes({ message: 'a' }) });
  check(record({ log: { file: 'x' }, message: 'a' }), { message: 'a', ...attributes({ log: { file: 'x' } }) });
  check(record({ log: null, msg: 'a' }), { message: 'a', ...attributes({ log: null }) });
  check(record({ log: null }), attributes({ log: null }));
  check(record({ log: { a: [1, '"'] } }), { message: '{"a":[1,"\\""]}' });
  check(record({ message: 12 }), { message: '12' });
  check(record({ message: false, msg: 1 }), { message: 'false', ...attributes({ msg: 1 }) });
  check(record({ log: Buffer.from('bin') }), { message: 'bin' });
});

test('stream, level, host, service', () => {
  check(record({ stream: 'stderr' }), { stream: 'stderr' });
  check(record({ stream: 'weird' }), { stream: 'weird' });
  check(record({ source: 'stdout' }), { stream: 'stdout' });
  check(record({ source: 'nginx' }), attributes({ source: 'nginx' }));
  check(record({ source: 'stdout', stream: 'x' }), { stream: 'x', ...attributes({ source: 'stdout' }) });
  check(record({ source: 'stdout', stream: { a: 1 } }), { stream: 'stdout', ...attributes({ stream: { a: 1 } }) });
  check(record({ level: 'info' }), { log: { level: 'info' }, event: { ...plain.event, severity: 9 } });
  const info = { log: { level: 'info' }, event: { ...plain.event, severity: 9 } };
  check(record({ level: 30 }), { ...info, ...attributes({ level: 30 }) });
  check(record({ level: 80 }), attributes({ level: 80 }));
  check(record({ severity: 'a', 'log.level': 'b' }), attributes({ severity: 'a', 'log.level': 'b' }));
  check(record({ severity: 'warn', 'log.level': 'Info' }), { ...info, ...attributes({ severity: 'warn' }) });
  check(record({ host: 'a' }), { host: { name: 'a' } });
  check(record({ host: { name: 'a' } }), { host: { name: 'a' } });
  check(record({ host: { name: 1, ip: 'b' } }), attributes({ host: { name: 1, ip: 'b' } }));
  check(record({ host: 'a', hostname: 'b' }), { host: { name: 'b' }, ...attributes({ host: 'a' }) });
  check(record({ service: 'a' }), { service: { name: 'a' } });
  check(record({ 'service.name': 'a' }), { service: { name: 'a' } });
});

test('container', () => {
  check(record({ container_name: '/web-1' }), { container: { name: 'web-1' } });
  check(record({ container_name: 'web/1' }), { container: { name: 'web/1' } });
  check(record({ container_name: '' }), { container: { name: '' } });
  check(record({ container_name: ['x'] }), attributes({ container_name: ['x'] }));
  check(record({ container_id: 'i', container_image: 'm' }), { container: { id: 'i', image: { name: 'm' } } });
  check(record({ container: 'x' }), attributes({ container: 'x' }));
});

test('kubernetes', () => {
  const pod = {
    pod_name: 'p', namespace_name: 'n', pod_id: 'u', pod_ip: '10.0.0.1', host: 'h', container_name: 'c', container_image: 'm',
    docker_id: 'd', labels: { app: 'x', 'a.b': 1 }, annotations: {}, container_hash: 'z',
  }; // prettier-ignore
  check(record({ kubernetes: pod, log: 'a' }), {
    message: 'a',
    container: { id: 'd', name: 'c', image: { name: 'm' } },
    kubernetes: {
      namespace: 'n',
      pod: { name: 'p', uid: 'u', ip: '10.0.0.1' },
      container: { name: 'c' },
      node: { name: 'h' },
      labels: { app: 'x', a_b: 1 },
      annotations: {},
    },
    attributes: { kubernetes: { container_hash: 'z' } },
  });
  check(record({ kubernetes: {} }), {});
  check(
    hex('92 ce695735a5 82 aa6b756265726e65746573 81 a161 01 aa6b756265726e65746573 01'),
    attributes({ kubernetes: 1 }),
  );
  check(record({ kubernetes: 'x' }), attributes({ kubernetes: 'x' }));
  check(record({ kubernetes: { labels: 'x', pod_name: 1 } }), attributes({ kubernetes: { labels: 'x', pod_name: 1 } }));
  check(record({ kubernetes: { labels: { a: 1 } }, labels: 2 }), {
    kubernetes: { labels: { a: 1 } },
    attributes: { labels: 2 },
  });
  // What one record has is not seen in the next.
  check(record({ a: 1 }), attributes({ a: 1 }));
});

test('what is ours cannot be set by a sender', () => {
  const theirs = {
    '@timestamp': 'x',
    tenant: { id: 'x' },
    fluentd: 1,
    event: { sequence: 'x' },
    attributes: { a: 1 },
    tags: [],
  };
  check(record(theirs), attributes(theirs));
});

test('flags and tenant', () => {
  const { log } = documentOf(record({ level: 'info' }), { partial: true });
  assert.deepEqual(log, { level: 'info', flags: ['partial'] });
  assert.deepEqual(documentOf(record({}), { partial: true }).log, { flags: ['partial'] });
  const other = { ...batch, tenant: 'a"\n', tag: 'b"\u2028' };
  const document = documentOf(record({}), { batch: other, index: 7 });
  assert.deepEqual([document.tenant, document.fluentd], [{ id: 'a"\n' }, { tag: 'b"\u2028' }]);
  assert.deepEqual(document.event, { ...plain.event, sequence: batch.seq + 7 });
  check(record({}), {});
});

test('as text', () => {
  const entry = entryOf({ log: 'a"', n: { deep: 2n ** 63n } }, 1.5);
  assert.deepEqual(documentOf(entry, { asText: true }), {
    ...plain,
    '@timestamp': '1970-01-01T00:00:01.500Z',
    message: '{"log":"a\\"","n":{"deep":9223372036854775808}}',
    log: { flags: ['as_text'] },
  });
  assert.deepEqual(documentOf(entry, { asText: true, partial: true }).log, { flags: ['partial', 'as_text'] });
});

test('time', () => {
  const received = '2026-01-02T03:04:05.678Z';
  const at = (digits: string, expected: string, rest: object = {}): void =>
    check(Buffer.concat([hex('92'), hex(digits), hex('80')]), { '@timestamp': expected, ...rest });
  const unfit = (value: unknown): object => attributes({ 'fluentd.time': value });
  at('d700 695735a5 00000000', '2026-01-02T03:04:05.000Z');
  at('d700 695735a5 075bcd15', '2026-01-02T03:04:05.123456789Z');
  at('c70800 695735a5 075bca00', '2026-01-02T03:04:05.123456Z');
  at('d700 ffffffff 3b9ac9ff', '2106-02-07T06:28:15.999999999Z');
  at('d700 695735a5 ffffffff', '2026-01-02T03:04:09.294967295Z');
  at('d700 00000000 00000001', '1970-01-01T00:00:00.000000001Z');
  at('d700 00000000 00000000', received);
  at('00', received);
  at('c0', received);
  at('cb 0000000000000000', received);
  at('7f', '1970-01-01T00:02:07.000Z');
  at('cc ff', '1970-01-01T00:04:15.000Z');
  at('cd ffff', '1970-01-01T18:12:15.000Z');
  at('ce 695735a5', '2026-01-02T03:04:05.000Z');
  at('d2 695735a5', '2026-01-02T03:04:05.000Z');
  at('d3 00000000695735a5', '2026-01-02T03:04:05.000Z');
  at('cf 0000000225c17d03', '2262-04-11T23:47:15.000Z');
  at('cf 0000000225c17d04', received, unfit(9_223_372_036));
  at('cf ffffffffffffffff', received, unfit(2 ** 64));
  at('d3 ffffffffffffffff', received, unfit(-1));
  at('ff', received, unfit(-1));
  at('d0 80', received, unfit(-128));
  at('cb 41da55cd697ef9db', '2026-01-02T03:04:05.984Z');
  at('ca 3fc00000', '1970-01-01T00:00:01.500Z');
  at('cb 3feffffffffffff8', '1970-01-01T00:00:01.000Z');
  at('cb 7ff8000000000000', received, unfit('NaN'));
  at('cb fff0000000000000', received, unfit('-Infinity'));
  at('cb bff0000000000000', received, unfit(-1));
});

test('entries of version 1.5', () => {
  const version15 = (metadata: object, time: unknown = 1): Buffer => entryOf({ a: 1 }, [time, metadata]);
  const first = { '@timestamp': '1970-01-01T00:00:01.000Z' };
  check(version15({}), { ...first, ...attributes({ a: 1 }) });
  check(version15({ x: 2 }), { ...first, ...attributes({ a: 1, 'fluentd.metadata': { x: 2 } }) });
  check(version15({ x: 2 }, -5), {
    '@timestamp': '2026-01-02T03:04:05.678Z',
    ...attributes({ a: 1, 'fluentd.time': -5, 'fluentd.metadata': { x: 2 } }),
  });
  check(entryOf({ 'fluentd.metadata': 3, 'fluentd.time': 4 }, [-1, { x: 2 }]), {
    '@timestamp': '2026-01-02T03:04:05.678Z',
    ...attributes({ 'fluentd.metadata': 3, 'fluentd.time': 4 }),
  });
});

test('headers of every width', () => {
  check(hex('dc0002 01 de0001 d903 6c6f67 da0001 61'), { '@timestamp': '1970-01-01T00:00:01.000Z', message: 'a' });
  check(hex('dd00000002 01 df00000001 c403 6c6f67 c60000000161'), {
    '@timestamp': '1970-01-01T00:00:01.000Z',
    message: 'a',
  });
  check(hex('92 dc0002 01 80 81 db00000003 6c6f67 c5000161'), {
    '@timestamp': '1970-01-01T00:00:01.000Z',
    message: 'a',
  });
});

test('of equal keys the last one stays', () => {
  check(hex('92 ce695735a5 82 a36c6f67 a161 a36c6f67 a162'), { message: 'b' });
  check(hex('92 ce695735a5 82 a178 a161 a178 a162'), attributes({ x: 'b' }));
  check(hex('92 ce695735a5 82 a178 a161 c40178 a162'), attributes({ x: 'b' }));
  check(hex('92 ce695735a5 82 01 a161 a131 a162'), attributes({ 1: 'b' }));
  check(hex('92 ce695735a5 82 a1fe a161 a1ff a162'), attributes({ '\ufffd': 'b' }));
  check(hex('92 ce695735a5 81 a16d 82 a178 a161 a178 a162'), attributes({ m: { x: 'b' } }));
  check(
    hex('92 ce695735a5 82 aa6b756265726e65746573 81 a161 01 aa6b756265726e65746573 81 a162 02'),
    attributes({ kubernetes: { b: 2 } }),
  );
  // The outer map has its double after the inner one had one.
  check(hex('92 ce695735a5 83 a16d 82 a178 01 a178 02 a179 03 a179 04'), attributes({ m: { x: 2 }, y: 4 }));
});

test('a part is recognised, and not written unless its line has waited long enough', () => {
  const part = { log: 'a', partial_message: 'true', partial_id: 'i', partial_ordinal: '1', partial_last: 'false' };
  assert.equal(outcomeOf(record(part)), 'part');
  check(record({ ...part, partial_last: 'maybe' }), {
    message: 'a',
    ...attributes({ partial_message: 'true', partial_id: 'i', partial_ordinal: '1', partial_last: 'maybe' }),
  });
  assert.equal(documentOf(record(part), { partial: true }).message, 'a');
  assert.match(String(documentOf(record(part), { asText: true }).message), /partial_id/);
});

test('what is no entry leaves nothing behind', () => {
  const refuse = (digits: string): void => assert.equal(outcomeOf(hex(digits)), 'entry_malformed', digits);
  refuse('');
  refuse('92');
  refuse('9201');
  refuse('c0');
  refuse('80');
  refuse('92 01 90');
  refuse('92 a0 80');
  refuse('91 01');
  refuse('93 01 80 80');
  refuse('92 01 80 00');
  refuse('92 01 81 a161');
  refuse('92 01 81 a161 c1');
  refuse('92 01 81 a161 a5 61');
  refuse('92 01 df ffffffff');
  refuse('92 01 81 a161 db ffffffff');
  refuse('92 92 01 80');
  refuse('92 93 01 80 80 80');
  refuse(`92 01 81 a161 ${'91'.repeat(200)}00`);
  check(record({}), {});
});

test('a record names its own tenant and service only where its tenant is trusted to', () => {
  const named = { log: 'x', TENANT_ID: 'acme', SERVICE_ID: 'shop', service: 's' };
  const of = (tenant: string | null, fields: object = named, asText = false) =>
    documentOf(entryOf(fields), { batch: { ...batch, tenant }, asText });
  const untouched = { message: 'x', service: { name: 's' }, ...attributes({ TENANT_ID: 'acme', SERVICE_ID: 'shop' }) };
  assert.deepEqual(of(null), { ...plain, ...untouched });
  assert.deepEqual(of('other'), { ...plain, ...untouched, tenant: { id: 'other' } });
  const own = { message: 'x', tenant: { id: 'acme' }, service: { name: 'shop' }, ...attributes({ service: 's' }) };
  assert.deepEqual(of(TRUSTED), { ...plain, ...own });
  assert.deepEqual(of(TRUSTED, { log: 'x' }), { ...plain, message: 'x', tenant: { id: TRUSTED } });
  const odd = { ...plain, message: 'x', tenant: { id: TRUSTED }, ...attributes({ TENANT_ID: 7 }) };
  assert.deepEqual(of(TRUSTED, { log: 'x', TENANT_ID: 7 }), odd);
  assert.deepEqual(of(TRUSTED, named, true)['tenant'], { id: 'acme' });
  assert.deepEqual(of('other', named, true)['tenant'], { id: 'other' });
});
