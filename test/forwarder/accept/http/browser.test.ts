// Pages in a browser may send only where their origin is named; programs send no such headers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusedOrigin } from '#forwarder/accept/http/browser.ts';
import { systemClock } from '#shared/clock.ts';
import { Fixture, JSON_BODY } from './http-fixture.ts';

const APP = 'https://app.example.com';

function check(what: string, headers: Record<string, string>, allowed: readonly string[], expected: string | null) {
  test(`${what}: ${expected ?? 'may send'}`, () => assert.equal(refusedOrigin(headers, allowed), expected));
}
check('a program', {}, [], null);
check('a page', { origin: 'https://evil.example' }, [], 'https://evil.example');
check('a page of a named origin', { origin: APP, 'sec-fetch-site': 'cross-site' }, [APP], null);
check('a page that hides its origin', { origin: 'null' }, [APP], 'null');
check('a page of an origin that only begins so', { origin: `${APP}.evil.example` }, [APP], `${APP}.evil.example`);
check('a link from a page', { 'sec-fetch-site': 'cross-site' }, [APP], 'cross-site');
check('a name bound to our address anew', { 'sec-fetch-site': 'same-origin' }, [], 'same-origin');
check('an address that somebody typed', { 'sec-fetch-site': 'none' }, [], null);

test('what any page can post without asking is refused, whatever the dialect, and nothing is held', async () => {
  await using fixture = await Fixture.start();
  const headers = { 'content-type': 'text/plain', origin: 'https://evil.example' };
  for (const path of ['/app.web', '/_bulk', '/services/collector/raw', '/loki/api/v1/push', '/v1/logs']) {
    const { status } = await fixture.post(path, '{"a":1}', headers);
    assert.ok(status === 403, `${path}: ${status}`);
  }
  assert.equal(fixture.intake.chunks.length, 0);
  assert.equal((await fixture.post('/app.web', '{"a":1}')).status, 200);
});

test('a named origin may send', async () => {
  await using fixture = await Fixture.start({}, systemClock, { corsOrigins: [APP] });
  assert.equal((await fixture.post('/app.web', '{"a":1}', { ...JSON_BODY, origin: APP })).status, 200);
  assert.equal((await fixture.post('/app.web', '{"a":1}', { ...JSON_BODY, origin: 'http://else' })).status, 403);
  assert.equal(fixture.intake.chunks.length, 1);
});
