import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressRates } from '#forwarder/admit/address-rates.ts';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { NetworkSet } from '#shared/net/networks.ts';
import { openDoor } from '#test/forwarder/admit/open-door.ts';
import { Fixture, records } from '../accept/http/http-fixture.ts';

const HEAD =
  'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.fdo.journal\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const entry = (n: number) => `__CURSOR=c${n}\n__REALTIME_TIMESTAMP=${n}\nMESSAGE=event ${n}\n\n`;
const JOURNAL = { 'content-type': 'application/vnd.fdo.journal' };

test('entries go on as they come, each under its cursor; the answer waits for the last', async () => {
  await using fixture = await Fixture.start();
  const client = await fixture.raw();
  client.write(HEAD + chunk(entry(1) + entry(2).slice(0, 10)));
  await fixture.intake.arrived(1);
  assert.deepEqual(records(fixture), [{ log: 'event 1' }]);
  fixture.intake.hold();
  client.write(chunk(entry(2).slice(10)));
  await fixture.intake.arrived(2);
  client.write('0\r\n\r\n');
  assert.equal((await fetch(`${fixture.url}/ready`)).status, 200);
  assert.equal(client.text, '');
  fixture.intake.release();
  await client.until(/^HTTP\/1.1 200 OK[^]*OK\.\n$/);
  const known = fixture.intake.chunks.map(({ tag, input, chunkId, count }) => [tag, input, chunkId, count]);
  assert.deepEqual(known, [
    ['journal', 'journal', Buffer.from('c1'), 1],
    ['journal', 'journal', Buffer.from('c2'), 1],
  ]);
  client.socket.destroy();
});

test('of thousands of small entries in one piece some hundred are taken at a time', async () => {
  await using fixture = await Fixture.start();
  fixture.intake.hold();
  const upload = fixture.post('/upload', 'A=1\n\n'.repeat(5000), JOURNAL);
  await fixture.intake.arrived(128);
  assert.equal((await fetch(`${fixture.url}/ready`)).status, 200);
  assert.equal(fixture.intake.chunks.length, 128);
  fixture.intake.release();
  assert.equal((await upload).status, 200);
  assert.equal(fixture.intake.chunks.length, 5000);
});

test('entries that are refused while others wait for their turn cost the upload, not the process', async () => {
  await using fixture = await Fixture.start();
  let given = 0;
  fixture.intake.refuse = () => {
    given += 1;
    return given % 100 === 50 ? new SluiceError('queue_unavailable', 'Cannot take events: it is away') : null;
  };
  const uploads = Array.from({ length: 8 }, () => fixture.post('/upload', 'A=1\n\n'.repeat(2000), JOURNAL));
  assert.deepEqual(
    (await Promise.all(uploads)).map(({ status }) => status),
    Array.from({ length: 8 }, () => 503),
  );
});

test('of many uploads with small entries sixteen hand over more than a few at once', async () => {
  await using fixture = await Fixture.start();
  fixture.intake.hold();
  const uploads = Array.from({ length: 20 }, () => fixture.post('/upload', 'A=1\n\n'.repeat(200), JOURNAL));
  await fixture.intake.arrived(16 * 128 + 4 * 32);
  for (let turns = 0; turns < 50; turns += 1) await new Promise(setImmediate);
  assert.equal(fixture.intake.chunks.length, 16 * 128 + 4 * 32);
  fixture.intake.release();
  for (const { status } of await Promise.all(uploads)) assert.equal(status, 200);
  assert.equal(fixture.intake.chunks.length, 20 * 200);
});

test('of entries of a few bytes an upload may have as many as any batch, and what came before is held', async () => {
  await using fixture = await Fixture.start();
  const answer = await fixture.post('/upload', 'A=1\n\n'.repeat(200_000), JOURNAL);
  assert.equal(answer.status, 413);
  assert.match(answer.body, /100000/);
  assert.ok(fixture.intake.chunks.length >= 100_000 && fixture.intake.chunks.length < 150_000);
});

test('an upload may be larger than a body, and longer', async () => {
  await using fixture = await Fixture.start({ requestTimeoutMs: 50 });
  const client = await fixture.raw();
  client.write(HEAD);
  for (let n = 1; n <= 20; n += 1) {
    client.write(chunk(entry(n).replace('event', 'x'.repeat(30_000))));
    await fixture.intake.arrived(n);
  }
  // Any request that is refused for its time shows that as much has passed.
  const slow = await fixture.raw();
  await slow.write('POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{').until(/408 Request Timeout/);
  await client.write('0\r\n\r\n').until(/200 OK/);
  client.socket.destroy();
});

test('what cannot go on is told, and what came before it is held', async () => {
  await using fixture = await Fixture.start();
  const check = async (body: string, headers: Record<string, string>, status: number, text: RegExp, held: number) => {
    fixture.intake.chunks.length = 0;
    const answer = await fixture.post('/upload', body, headers);
    assert.equal(answer.status, status);
    assert.match(answer.body, text);
    assert.equal(fixture.intake.chunks.length, held);
  };
  await check('', JOURNAL, 200, /OK/, 0);
  await check(`${entry(1)}=x\n`, JOURNAL, 400, /no name/, 1);
  await check(`${entry(1)}MESSAGE=cut`, JOURNAL, 400, /ends inside an entry/, 1);
  await check(`${entry(1)}A=${'x'.repeat(300_000)}\n\n`, JOURNAL, 413, /more than 262144 bytes/, 1);
  await check(entry(1), { 'content-type': 'text/plain' }, 415, /Content-Type/, 0);
  await check(entry(1), { ...JOURNAL, 'content-encoding': 'gzip' }, 415, /Content-Encoding/, 0);
  fixture.intake.refusal = new SluiceError('queue_full', 'Cannot append: x');
  await check(entry(1) + entry(2), JOURNAL, 503, /Cannot append/, 2);
});

test('an entry that is refused while the next one waits for its turn refuses only the upload', async () => {
  await using fixture = await Fixture.start();
  fixture.intake.refusal = new SluiceError('queue_full', 'Cannot append: x');
  // A half of a turn goes to the piece, and the other half to fewer entries than are taken at a time.
  const { status, body } = await fixture.post('/upload', 'A=1\n\n'.repeat(2400), JOURNAL);
  assert.equal(status, 503);
  assert.match(body, /Cannot append/);
});

test('an uploader that goes away in the middle leaves nothing behind but what it sent', async () => {
  await using fixture = await Fixture.start();
  const client = await fixture.raw();
  client.write(HEAD + chunk(entry(1) + entry(2).slice(0, 10)));
  await fixture.intake.arrived(1);
  client.socket.end();
  assert.equal(await client.ended(), '');
  assert.equal((await fixture.post('/upload', entry(2), JOURNAL)).status, 200);
  assert.equal(fixture.intake.chunks.length, 2);
});

/** A fixture whose address may bring a byte in a thousand seconds, and an upload that has sent more than that. */
async function throttled(limits: { closeGraceMs?: number } = {}) {
  const throttledBy: string[] = [];
  const rates = new AddressRates({
    limits: { connections: 0, requests: 0, bytes: 0.001 },
    exempt: new NetworkSet([]),
    clock: systemClock,
    throttled: (address) => throttledBy.push(address),
  });
  const fixture = await Fixture.start(limits, systemClock, { door: openDoor({ input: 'http', rates }) });
  const client = await fixture.raw();
  client.write(HEAD + chunk(entry(1)));
  await fixture.intake.arrived(1);
  assert.equal(throttledBy.length, 1);
  return { fixture, client };
}

test('an uploader that waits for the rate of its address is let go when it leaves', async () => {
  const { fixture, client } = await throttled();
  client.socket.destroy();
  while (fixture.rejected.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(fixture.rejected[0]?.[0], 'request_malformed');
  await fixture[Symbol.asyncDispose]();
});

test('at a stop an upload is read on, whatever the rate of its address', async () => {
  const { fixture, client } = await throttled({ closeGraceMs: 600_000 });
  const closed = fixture[Symbol.asyncDispose]();
  client.write(`${chunk(entry(2))}0\r\n\r\n`);
  assert.match(await client.ended(), /^HTTP\/1.1 200 OK/);
  await closed;
  assert.equal(fixture.intake.chunks.length, 2);
});

test('a begun entry has a time to come whole; between entries an upload may be silent for any time', async () => {
  await using fixture = await Fixture.start({ requestTimeoutMs: 60, idleTimeoutMs: 20 });
  const idle = await fixture.raw();
  idle.write(HEAD + chunk(entry(1)));
  await fixture.intake.arrived(1);
  const begun = await fixture.raw();
  begun.write(HEAD + chunk('MESSAGE=begun'));
  await begun.until(/^HTTP\/1.1 408 Request Timeout[^]*an entry was begun/);
  await begun.ended();
  await idle.write(`${chunk(entry(2))}0\r\n\r\n`).until(/200 OK/);
  assert.equal(fixture.intake.chunks.length, 2);
  idle.socket.destroy();
});

test('of begun entries a sender has as much as he leaves free, and others go on', async () => {
  await using fixture = await Fixture.start({ roomWaitMs: 20 });
  const begun = `MESSAGE=${'x'.repeat(200 * 1024)}`;
  const many = await Promise.all(Array.from({ length: 60 }, () => fixture.raw()));
  for (const client of many) client.write(HEAD + chunk(begun));
  const refused = await Promise.any(many.map((client) => client.until(/429 Too Many Requests/)));
  assert.match(refused, /more of them are in hand than fit/);
  const other = await fixture.raw('127.0.0.2');
  other.write(HEAD + chunk(begun));
  await new Promise((resolve) => setTimeout(resolve, 60));
  await other.write(`${chunk('\n\n')}0\r\n\r\n`).until(/200 OK/);
  for (const { socket } of [...many, other]) socket.destroy();
});

test('large entries are taken one at a time of each sender', async () => {
  await using fixture = await Fixture.start({ roomWaitMs: 50 }, systemClock, { bodyBytesMax: 8 * 1024 * 1024 });
  fixture.intake.hold();
  const large = `${entry(1).slice(0, -1)}TEXT=${'x'.repeat(2 * 1024 * 1024)}\n\n`;
  const first = fixture.post('/upload', large, JOURNAL);
  await fixture.intake.arrived(1);
  assert.equal((await fixture.post('/upload', large, JOURNAL)).status, 429);
  fixture.intake.release();
  assert.equal((await first).status, 200);
  assert.equal((await fixture.post('/upload', large + large, JOURNAL)).status, 200);
  assert.equal(fixture.intake.chunks.length, 3);
});
