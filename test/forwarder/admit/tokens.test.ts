import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkEdge } from '#forwarder/admit/check.ts';
import { openTokenFile } from '#forwarder/admit/token-file.ts';
import { loadTokens } from '#forwarder/admit/tokens.ts';
import { loadConfig } from '#shared/config/load.ts';
import { SluiceError } from '#shared/errors.ts';
import { systemClock } from '#shared/clock.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const acme = { name: 'acme', networks: [], certificates: [], tagPrefix: '', trustsRecords: false };
const tenants = [{ ...acme, bytesPerSecond: null, eventsPerSecond: null }];
const file = `
- token: first-token
  tenant: acme
  tag_prefix: acme.
  tags: ['acme.web.*']
- token: second-token
  user: shipper
`;

test('each scheme, and what grants nothing', () => {
  const tokens = loadTokens('tokens.yaml', tenants, () => file);
  const acme = { tenant: 'acme', tagPrefix: 'acme.', tags: ['acme.web.*'] };
  const second = { tenant: null, tagPrefix: null, tags: null };
  const check = (authorization: string, expected: unknown) =>
    assert.deepEqual(tokens.grantOf(authorization), expected, authorization);
  check('Bearer first-token', acme);
  check('bearer  first-token ', acme);
  check('Splunk first-token', acme);
  check('ApiKey first-token', acme);
  check(`ApiKey ${base64('id:first-token')}`, acme);
  check(`Basic ${base64('anyone:first-token')}`, acme);
  check(`Basic ${base64(':first-token')}`, acme);
  check('Bearer second-token', second);
  check(`Basic ${base64('shipper:second-token')}`, second);
  check(`Basic ${base64('other:second-token')}`, null);
  check(`Basic ${base64(':second-token')}`, null);
  check('Bearer third-token', null);
  check('Bearer first-toke', null);
  check('Bearer first-token x', null);
  check('first-token', null);
  check('Digest first-token', null);
  check('Basic first-token', null);
  check('Basic ', null);
  check('', null);
});

test('a file of digests grants the same, and holds nothing that could be sent', () => {
  const digest = (token: string): string => hash('sha256', token, 'hex');
  const digests = `
- sha256: ${digest('first-token')}
  tenant: acme
- { sha256: ${digest('second-token').toUpperCase()}, user: shipper }
`;
  const tokens = loadTokens('tokens.yaml', tenants, () => digests);
  assert.equal(tokens.grantOf('Bearer first-token')?.tenant, 'acme');
  assert.ok(tokens.grantOf(`Basic ${base64('shipper:second-token')}`));
  assert.equal(tokens.grantOf(`Basic ${base64('other:second-token')}`), null);
  assert.equal(tokens.grantOf(`Bearer ${digest('first-token')}`), null, 'the digest itself is no token');
  for (const wrong of [
    '- {}',
    '- { token: first-token, sha256: abc }',
    `- { token: first-token, sha256: ${digest('x')} }`,
  ]) {
    assert.throws(() => loadTokens('tokens.yaml', tenants, () => wrong), { code: 'config_invalid' }, wrong);
  }
  const twice = `- token: first-token\n- sha256: ${digest('first-token')}\n`;
  assert.throws(() => loadTokens('tokens.yaml', tenants, () => twice), /1.token: the token is there twice/);
});

test('each mistake of the file on a line, and no token told', () => {
  const check = (text: string, lines: RegExp[]) => {
    assert.throws(
      () => loadTokens('t.yaml', tenants, () => text),
      (error) => {
        assert(error instanceof SluiceError && error.code === 'config_invalid');
        const told = error.message.split('\n');
        assert.equal(told.length, lines.length, error.message);
        for (const [i, line] of lines.entries()) assert.match(told[i] ?? '', line);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      },
    );
  };
  check('', [/^t\.yaml: it names no token/]);
  check('[]', [/names no token/]);
  check('{', [/cannot be read/]);
  check('- token: secret-1\n- token: secret-1\n', [/1\.token: the token is there twice/]);
  check('- {token: secret-1, tenant: other}', [/0\.tenant: other is none of the tenants file/]);
  check('- tenant: a\n', [/^t\.yaml: 0: .*one of token and sha256/, /0\.tenant: a is none/]);
  check('- token: secret-1\n  tag: x\n- token: short\n', [/0\.tag: there is no such key/, /1\.token: /]);
});

test('sluice check tells the mistakes too', () => {
  const readFile = (path: string) => (path === 't' ? '- token: short' : '');
  const config = loadConfig({ env: { SLUICE_HTTP_TOKENS: 't' }, readFile });
  assert.throws(() => checkEdge(config, readFile), /^SluiceError: t: 0\.token: /);
});

test('the file is read again when it changes; a broken one keeps what was there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tokens-'));
  try {
    const path = join(folder, 'tokens.yaml');
    writeFileSync(path, file);
    const told: string[] = [];
    let wake = () => {};
    const tell = (what: string) => {
      told.push(what);
      wake();
    };
    const next = () => new Promise<void>((resolve) => (wake = resolve));
    const telemetry = {
      tokensReloaded: (count: number) => tell(`${count} tokens`),
      tokensReloadFailed: () => tell('failed'),
    };
    // The look's timer does not keep the process alive.
    const alive = setInterval(() => {}, 1000);
    using tokens = openTokenFile(path, { tenants, clock: systemClock, telemetry, intervalMs: 5 });
    assert.equal(tokens.grantOf('Bearer third-token'), null);
    let changed = next();
    writeFileSync(path, `${file}- token: third-token\n`);
    await changed;
    assert.notEqual(tokens.grantOf('Bearer third-token'), null);
    changed = next();
    writeFileSync(path, '- token:');
    await changed;
    assert.notEqual(tokens.grantOf('Bearer third-token'), null);
    clearInterval(alive);
    // Between truncation and writing an empty file may have been seen.
    assert.equal(told.filter((what) => what === '3 tokens').length, 1);
    assert.equal(told.at(-1), 'failed');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
