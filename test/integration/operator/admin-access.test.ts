// A service whose admin page has TLS and a token, and Sluice's own commands that ask it: a health check needs neither,
// a replay needs the token.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Authority } from '#test/forwarder/admit/certificates.ts';
import { newPlace, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const authority = new Authority();
after(() => authority[Symbol.dispose]());
const TOKEN = 'an-operators-token';

test('health and replay by TLS, with a token where one is asked', async () => {
  const { cert, key } = authority.issue({ name: 'sluice.example' });
  await using place = await newPlace();
  const tls = { SLUICE_ADMIN_TLS_CERT: cert, SLUICE_ADMIN_TLS_KEY: key };
  const operator = { ...tls, SLUICE_ADMIN_TOKEN: TOKEN };
  await using service = new SluiceProcess(['run'], place, operator);
  await service.until(async () => (await sluice(['health', '--ready'], place, tls)).code === 0);

  const inTheClear = await sluice(['health'], place, { SLUICE_ADMIN_TOKEN: TOKEN });
  assert.equal(inTheClear.code, 1);

  const refused = await sluice(['dead-letters', 'replay'], place, tls);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /answered 401 .*set SLUICE_ADMIN_TOKEN/);
  const replayed = await sluice(['dead-letters', 'replay'], place, operator);
  assert.equal(replayed.code, 0, replayed.stderr);
  assert.match(replayed.stdout, /0 indexed/);

  const checked = await sluice(['check', '--offline'], place, operator);
  assert.match(checked.stdout, /^SLUICE_ADMIN_TOKEN=\*{8}$/m);

  const { stdout, stderr } = await service.stop();
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const told = (event: string) => lines.filter((line) => line['event'] === event);
  assert.ok(told('access_refused').some(({ input, reason }) => input === 'admin' && reason === 'token_missing'));
  assert.deepEqual(
    told('admin_action').map(({ action, who, outcome }) => [action, who, outcome]),
    [
      ['/dead-letters/replay', 'admin.token', 'started'],
      ['/dead-letters/replay', 'admin.token', 'done'],
    ],
  );
  assert.doesNotMatch(stdout + stderr, new RegExp(TOKEN));
});
