// The files that tell senders apart, and the rule that a public address needs something of the kind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadAdmission } from '#forwarder/admit/admission.ts';
import { INPUT_LISTENERS, admittedExposures, exposures } from '#forwarder/admit/exposure.ts';
import { loadUsers } from '#forwarder/admit/users.ts';
import { loadConfig } from '#shared/config/load.ts';
import { loadTenants } from '#shared/config/tenants.ts';

const configOf = (env: Record<string, string>) => loadConfig({ env, readFile: () => '' });
const tenantsOf = (text: string) => loadTenants('tenants.yaml', () => text);
const usersOf = (text: string) => loadUsers('users.yaml', tenantsOf('acme: {}'), () => text);

test('tenants: all that may be said, and nothing', () => {
  const [acme, bare] = tenantsOf(`
acme:
  networks: [10.1.0.0/16, "2001:db8::/32"]
  certificates: ["*.acme.example"]
  tag_prefix: acme.
  bytes_per_second: 10MiB
  events_per_second: 20000
  trust_record_tenant: true
bare: {}
`);
  assert.equal(acme?.bytesPerSecond, 10 * 1024 * 1024);
  assert.equal(acme.eventsPerSecond, 20_000);
  assert.deepEqual(
    acme.networks.map(({ text }) => text),
    ['10.1.0.0/16', '2001:db8::/32'],
  );
  assert.equal(acme.trustsRecords, true);
  assert.deepEqual(
    { ...bare },
    {
      ...acme,
      name: 'bare',
      networks: [],
      certificates: [],
      tagPrefix: '',
      bytesPerSecond: null,
      eventsPerSecond: null,
      trustsRecords: false,
    },
  );
  assert.deepEqual(
    loadTenants(undefined, () => assert.fail('no file is read')),
    [],
  );
  assert.deepEqual(tenantsOf(''), []);
});

function refused(title: string, load: () => unknown, ...lines: RegExp[]) {
  test(title, () => {
    assert.throws(load, (error: Error & { code?: string }) => {
      assert.equal(error.code, 'config_invalid');
      const told = error.message.split('\n');
      assert.equal(told.length, lines.length, error.message);
      lines.forEach((line, i) => assert.match(told[i] ?? '', line));
      return true;
    });
  });
}

refused(
  'an unknown key',
  () => tenantsOf('acme: { netwroks: [] }'),
  /^tenants\.yaml: acme\.netwroks: there is no such key/,
);
refused(
  'mistakes have a line each',
  () => tenantsOf('acme: { networks: [10.0.0.0/40, x], bytes_per_second: much }'),
  /acme\.networks: 10\.0\.0\.0\/40 is no network/,
  /acme\.networks: x is no network/,
  /acme\.bytes_per_second/,
);
refused('a name that is no label', () => tenantsOf('"a b": {}'), /a b: a tenant's name/);
refused(
  'a network of two',
  () => tenantsOf('a: { networks: [10.0.0.0/8] }\nb: { networks: [10.0.0.0/8] }'),
  /10\.0\.0\.0\/8 is a network of a already/,
);
refused('no YAML', () => tenantsOf('a: ['), /^tenants\.yaml: cannot be read/);

test('users', () => {
  const [anna, bert] = usersOf('[{ user: anna, password: x, tenant: acme, tags: [a.*] }, { user: bert, password: y }]');
  assert.deepEqual(anna, { name: 'anna', password: 'x', tenant: 'acme', tagPrefix: null, tags: ['a.*'] });
  assert.deepEqual(bert, { name: 'bert', password: 'y', tenant: null, tagPrefix: null, tags: null });
});
refused('a file of no users would let nobody in', () => usersOf(''), /names no user/);
refused('a user of a tenant that is not', () => usersOf('[{ user: a, password: x, tenant: b }]'), /b is none of the/);
refused('a user twice', () => usersOf('[{ user: a, password: x }, { user: a, password: y }]'), /a: the user is there/);
test('a mistake never shows a password', () => {
  assert.throws(
    () => usersOf('[{ user: a, password: [s3cret] }]'),
    (error: Error) => !error.message.includes('s3cret'),
  );
});

test('all files are looked at', () => {
  const config = configOf({ SLUICE_TENANTS: 't', SLUICE_USERS: 'u', SLUICE_ALLOW_NETWORKS: 'nowhere' });
  assert.throws(
    () => loadAdmission(config, (path) => (path === 't' ? 'a: 1' : '[]')),
    /t: a.*\n[^]*u: it names no user[^]*\nSLUICE_ALLOW_NETWORKS: nowhere is no network/,
  );
});

const LISTENERS = [...INPUT_LISTENERS, 'admin.listen', 'lag.listen'] as const;

function exposed(title: string, env: Record<string, string>, expected: readonly string[]) {
  test(title, () => {
    const found = exposures(configOf(env), LISTENERS).map(({ input }) => input);
    assert.deepEqual(found, expected);
  });
}

const everywhere = {
  SLUICE_FORWARD_LISTEN: ':24224',
  SLUICE_HTTP_LISTEN: '0.0.0.0:9880',
  SLUICE_ADMIN_LISTEN: '[::]:1',
};
const tls = { SLUICE_TLS_CERT: 'c', SLUICE_TLS_KEY: 'k' };
exposed('loopback is not exposed', {}, []);
exposed('a unix socket is not', { SLUICE_FORWARD_LISTEN: 'unix:/run/s.sock' }, []);
exposed('public addresses are', everywhere, ['forward', 'http', 'admin']);
exposed('a shared key guards Forward alone', { ...everywhere, SLUICE_SHARED_KEY: '8 signs.' }, ['http', 'admin']);
exposed('one that can be guessed guards nothing', { ...everywhere, SLUICE_SHARED_KEY: '7 signs' }, [
  'forward',
  'http',
  'admin',
]);
exposed('on loopback it may be as short', { SLUICE_SHARED_KEY: 'k' }, []);
exposed(
  'and where users have passwords of their own',
  { SLUICE_FORWARD_LISTEN: ':24224', SLUICE_SHARED_KEY: 'k', SLUICE_USERS: 'u' },
  [],
);
test('a shared key that is too short for a public address is told as such, and not shown', () => {
  const config = configOf({ SLUICE_FORWARD_LISTEN: ':24224', SLUICE_SHARED_KEY: 'secret7' });
  assert.throws(
    () => admittedExposures(config, ['forward.listen']),
    ({ message }: Error) => {
      assert.match(message, /^Cannot listen on :24224 for forward: the shared key has less than 8 characters; set /);
      assert.doesNotMatch(message, /secret7/);
      return true;
    },
  );
});
exposed('users guard Forward alone', { ...everywhere, SLUICE_USERS: 'u' }, ['http', 'admin']);
exposed('a certificate of ours tells us nothing of senders', { ...everywhere, ...tls }, ['forward', 'http', 'admin']);
exposed('certificates of senders guard what speaks TLS', { ...everywhere, ...tls, SLUICE_TLS_CLIENT_CA: 'ca' }, [
  'admin',
]);
exposed('syslog over TLS is asked too', { SLUICE_SYSLOG_TLS_LISTEN: ':6514', ...tls }, ['syslog']);
exposed(
  'and guarded by certificates of senders',
  { SLUICE_SYSLOG_TLS_LISTEN: ':6514', ...tls, SLUICE_TLS_CLIENT_CA: 'ca' },
  [],
);
exposed('the exporter of lag is a page for operators', { SLUICE_LAG_LISTEN: '0.0.0.0:24232' }, ['admin']);
exposed(
  'halves that make all addresses guard nothing',
  { SLUICE_GELF_LISTEN: ':12201', SLUICE_ALLOW_NETWORKS: '0.0.0.0/1,128.0.0.0/1' },
  ['gelf'],
);
exposed(
  'nor does all that is routed in IPv6',
  { SLUICE_GELF_LISTEN: ':12201', SLUICE_ALLOW_NETWORKS: '10.0.0.0/8,2000::/3' },
  ['gelf'],
);
exposed('networks guard all', { ...everywhere, SLUICE_ALLOW_NETWORKS: '10.0.0.0/8' }, []);
exposed('a network of all addresses guards nothing', { ...everywhere, SLUICE_ALLOW_NETWORKS: '10.0.0.0/8,::/0' }, [
  'forward',
  'http',
  'admin',
]);
refused(
  'it has to be asked for, input by input',
  () => admittedExposures(configOf({ ...everywhere, SLUICE_INSECURE: 'http' }), LISTENERS),
  /Cannot listen on :24224 for forward: .*SLUICE_SHARED_KEY or .*SLUICE_ALLOW_NETWORKS.*SLUICE_INSECURE=forward/,
  /Cannot listen on \[::\]:1 for admin/,
);
test('what was asked for is told', () => {
  const config = configOf({ ...everywhere, SLUICE_INSECURE: 'forward, http,admin' });
  assert.equal(admittedExposures(config, LISTENERS).length, 3);
});
refused('an input that is none', () => configOf({ SLUICE_INSECURE: 'forwards' }), /SLUICE_INSECURE.*forward, http/);
