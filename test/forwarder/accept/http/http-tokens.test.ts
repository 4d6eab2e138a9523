import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoginLimit } from '#forwarder/admit/login-limit.ts';
import { loadTokens } from '#forwarder/admit/tokens.ts';
import { systemClock } from '#shared/clock.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { Fixture, JSON_BODY } from './http-fixture.ts';

const acme = { name: 'acme', networks: [], certificates: [], tagPrefix: '', trustsRecords: false };
const tenants = [{ ...acme, bytesPerSecond: null, eventsPerSecond: null }];
const tokens = loadTokens(
  'tokens.yaml',
  tenants,
  () => '- {token: the-token, tenant: acme, tag_prefix: acme., tags: [acme.web]}',
);
const start = () => Fixture.start({}, systemClock, { tokens });
const known = { authorization: 'Bearer the-token' };

test('without a token that is known nothing is read, and each dialect says so in its own words', async () => {
  await using fixture = await start();
  const check = async (path: string, headers: Record<string, string>, status: number, text: RegExp) => {
    const response = await fetch(fixture.url + path, { method: 'POST', body: '{"event":"a"}', headers });
    assert.equal(response.status, status, path);
    assert.equal(response.headers.get('www-authenticate'), 'Bearer realm="sluice", Basic realm="sluice"');
    assert.equal(response.headers.get('connection'), 'close');
    assert.match(await response.text(), text);
  };
  const wrong = { authorization: 'Bearer another-token' };
  for (const headers of [{}, wrong]) {
    await check('/web', headers, 401, /"unauthorized"/);
    await check('/v1/logs', headers, 401, /"code":3/);
    await check('/_bulk', headers, 401, /security_exception/);
    await check('/loki/api/v1/push', headers, 401, /no token/);
    await check('/nothing/here', headers, 401, /"unauthorized"/);
  }
  await check('/services/collector', {}, 401, /{"text":"Token is required","code":2}/);
  await check('/services/collector', { authorization: 'Splunk another' }, 403, /{"text":"Invalid token","code":4}/);
  assert.equal(fixture.intake.chunks.length, 0);
  assert.deepEqual(fixture.rejected, []);
  assert.equal(fixture.failures.filter((reason) => reason === 'token_missing').length, 6);
  assert.equal(fixture.failures.filter((reason) => reason === 'token_wrong').length, 6);
});

test('a body is not waited for where the token is wrong', async () => {
  await using fixture = await start();
  const client = await fixture.raw();
  client.write('POST /web HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n');
  assert.match(await client.ended(), /^HTTP\/1.1 401 Unauthorized/);
  const other = await fixture.raw();
  other.write('POST /web HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"a":');
  assert.match(await other.ended(), /^HTTP\/1.1 401 Unauthorized/);
});

test('a token names the tenant, and binds the tags', async () => {
  await using fixture = await start();
  const check = async (path: string, body: string, status: number) => {
    const answer = await fixture.post(path, body, { ...JSON_BODY, ...known });
    assert.equal(answer.status, status, answer.body);
    return answer.body;
  };
  await check('/web', '{"a":1}', 200);
  const { tenant, tag } = fixture.intake.chunks[0] ?? assert.fail();
  assert.deepEqual([tenant, tag], ['acme', 'acme.web']);
  assert.match(await check('/other', '{"a":1}', 403), /tag_refused/);
  await check('/v1/logs', '{}', 403);
  assert.match(await check('/services/collector', '{"event":"a"}', 400), /"code":7/);
  const bulk = '{"create":{"_index":"web"}}\n{}\n{"create":{"_index":"other"}}\n{}\n';
  const { items } = JSON.parse(await check('/_bulk', bulk, 200));
  assert.deepEqual(
    items.map((item: { create: { status: number } }) => item.create.status),
    [201, 403],
  );
  assert.equal(fixture.intake.chunks.length, 2);
});

test('what tells nothing is told without a token', async () => {
  await using fixture = await start();
  const status = async (method: string, path: string) => (await fetch(fixture.url + path, { method })).status;
  assert.equal(await status('OPTIONS', '/services/collector/event/1.0'), 200);
  assert.equal(await status('GET', '/services/collector/health'), 200);
  assert.equal(await status('GET', '/ready'), 200);
  assert.equal(await status('GET', '/'), 401);
});

test('pages of other origins may send only where they are named', async () => {
  const ask = async (fixture: Fixture, origin: string) => {
    const headers = {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    };
    const response = await fetch(`${fixture.url}/web`, { method: 'OPTIONS', headers });
    return [response.status, response.headers.get('access-control-allow-origin')];
  };
  await using closed = await start();
  assert.deepEqual(await ask(closed, 'https://app.example.com'), [204, null]);
  await using open = await Fixture.start({}, systemClock, { tokens, corsOrigins: ['https://app.example.com'] });
  assert.deepEqual(await ask(open, 'https://app.example.com'), [204, 'https://app.example.com']);
  assert.notDeepEqual(await ask(open, 'https://evil.example.com'), [204, 'https://evil.example.com']);
  const response = await fetch(`${open.url}/web`, {
    method: 'POST',
    body: '{"a":1}',
    headers: { ...JSON_BODY, ...known, origin: 'https://app.example.com' },
  });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('access-control-allow-origin'), 'https://app.example.com');
  const refused = await fetch(`${open.url}/web`, {
    method: 'POST',
    body: '{"a":1}',
    headers: { origin: 'https://app.example.com' },
  });
  assert.equal(refused.status, 401);
});

test('who shows no token that is known waits for the answer, by address; who shows one does not', async () => {
  const held: string[] = [];
  const goOn = Promise.withResolvers<void>();
  const pace = {
    hold(peer: string): Promise<void> {
      held.push(peer);
      return goOn.promise;
    },
  };
  const logins = new LoginLimit({ clock: systemClock, pace });
  await using fixture = await Fixture.start({}, systemClock, { tokens, logins });
  const refused = fixture.post('/web', '{"a":1}', { ...JSON_BODY, authorization: 'Bearer wrong-token' });
  assert.equal((await fixture.post('/web', '{"a":1}', { ...JSON_BODY, ...known })).status, 200);
  while (held.length === 0) await systemClock.sleep(1);
  assert.equal(await Promise.race([refused, Promise.resolve('waits')]), 'waits');
  goOn.resolve();
  assert.equal((await refused).status, 401);
  assert.deepEqual(held, ['127.0.0.1']);
});

test('however many connections guess, so many guesses a second are looked at; who was let in goes on', async () => {
  const clock = new VirtualClock();
  const logins = new LoginLimit({ clock, pace: { hold: () => Promise.resolve() } });
  let looks = 0;
  const counting = {
    grantOf(authorization: string) {
      looks += 1;
      return tokens.grantOf(authorization);
    },
  };
  await using fixture = await Fixture.start({}, systemClock, { tokens: counting, logins });
  const send = (token: string) => {
    const login = `Authorization: Bearer ${token}\r\n`;
    const head = `POST /web HTTP/1.1\r\nHost: x\r\n${login}Content-Type: application/json\r\n`;
    return `${head}Content-Length: 7\r\n\r\n{"a":1}`;
  };
  const old = await fixture.raw();
  await old.write(send('the-token')).until(/200 OK/);
  const guess = async (n: number): Promise<number> => {
    const client = await fixture.raw();
    return Number(/^HTTP\/1\.1 (\d+)/.exec(await client.write(send(`a-guess-${n}`)).ended())?.[1]);
  };
  const guessed = async (): Promise<{ looked: number; limited: number }> => {
    const statuses = await Promise.all(Array.from({ length: 100 }, (_, n) => guess(n)));
    const count = (status: number) => statuses.filter((each) => each === status).length;
    return { looked: count(401), limited: count(429) };
  };
  assert.deepEqual(await guessed(), { looked: 30, limited: 70 });
  assert.equal(looks, 31);
  // It is not looked at either, though it is right; and nothing of its body is read.
  const { status, body, retryAfter } = await fixture.post('/web', '{"a":1}', { ...JSON_BODY, ...known });
  assert.deepEqual([status, retryAfter], [429, '2']);
  assert.match(body, /"login_limited"/);
  assert.equal(looks, 31);
  old.text = '';
  await old.write(send('the-token')).until(/200 OK/);
  // What it has not shown yet is a guess as any.
  old.text = '';
  assert.match(await old.write(send('the-tokem')).ended(), /429 Too Many Requests/);
  await clock.advance(1000);
  assert.equal((await fixture.post('/web', '{"a":1}', { ...JSON_BODY, ...known })).status, 200);
  assert.deepEqual(await guessed(), { looked: 10, limited: 90 });
  assert.equal(fixture.failures.filter((reason) => reason === 'login_limited').length, 162);
  assert.deepEqual(fixture.rejected, [], 'each refusal is told once');
});
