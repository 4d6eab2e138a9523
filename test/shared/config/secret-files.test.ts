// Which files with secrets are told of: those that others may read or write.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { exposedSecretFiles } from '#shared/config/secret-files.ts';

test('modes of files with secrets', () => {
  const check = (env: Readonly<Record<string, string>>, mode: number | null, expected: RegExp | null): void => {
    const config = loadConfig({ env, readFile: () => 'a secret of some length' });
    const found = exposedSecretFiles({ config, env, modeOf: (path) => (path === '/etc/cert.pem' ? 0o100644 : mode) });
    assert.equal(found.length, expected === null ? 0 : 1, found.join());
    if (expected !== null) assert.match(found[0] ?? '', expected);
  };
  const users = { SLUICE_USERS: '/etc/users.yaml' };
  check(users, 0o100600, null);
  check(users, 0o100640, null);
  check(users, 0o100644, /Everybody may read the secrets in \/etc\/users.yaml \(0644\): run chmod 0600/);
  check(users, 0o100660, /Others may write to .* \(0660\)/);
  check(users, 0o100666, /Others may write/);
  check(users, null, null);
  check({ SLUICE_SHARED_KEY_FILE: '/run/key' }, 0o100604, /\/run\/key/);
  check({ SLUICE_HTTP_TOKENS: '/etc/tokens.yaml' }, 0o100644, null);
  check({ SLUICE_HTTP_TOKENS: '/etc/tokens.yaml' }, 0o100646, /Others may write/);
  check({ SLUICE_READ_TOKENS: '/etc/tokens.yaml' }, 0o100644, null);
  check({ SLUICE_READ_TOKENS: '/etc/tokens.yaml' }, 0o100646, /Others may write/);
  check({ SLUICE_TENANTS: '/etc/tenants.yaml' }, 0o100620, /Others may write/);
  const certificate = { SLUICE_READ_TLS_CERT: '/etc/cert.pem', SLUICE_READ_TLS_KEY: '/etc/key.pem' };
  check(certificate, 0o100644, /Everybody may read the secrets in \/etc\/key.pem/);
  check({}, 0o100666, null);
});

test('the file of settings: whoever writes to it lets himself in; it is a secret where it has one', () => {
  const check = (yaml: string, mode: number, expected: RegExp | null, env: Record<string, string> = {}): void => {
    const configFile = '/etc/sluice.yaml';
    const config = loadConfig({ env, file: configFile, readFile: (path) => (path === configFile ? yaml : 'a secret') });
    const found = exposedSecretFiles({
      config,
      env,
      configFile,
      modeOf: (path) => (path === configFile ? mode : null),
    });
    assert.equal(found.length, expected === null ? 0 : 1, found.join());
    if (expected !== null) assert.match(found[0] ?? '', expected);
  };
  check('http: { listen: ":9880" }', 0o100644, null);
  check('http: { listen: ":9880" }', 0o100664, /Others may write/);
  check('shared_key: a-secret-key', 0o100644, /Everybody may read the secrets in \/etc\/sluice.yaml/);
  check('shared_key: a-secret-key', 0o100640, null);
  check('http: { listen: ":9880" }', 0o100644, null, { SLUICE_SHARED_KEY: 'a-secret-key' });
  check('http: { listen: ":9880" }', 0o100644, null, { SLUICE_SHARED_KEY_FILE: '/run/key' });
  check('elasticsearch: { api_key_file: /run/key }', 0o100644, null);
});
