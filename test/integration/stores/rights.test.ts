// Each role with just the privileges that docs/operations.md gives it, against an Elasticsearch with security, over
// TLS; and what a command says that lacks one. An API key that expires while documents come, and its replacement.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { type Environment, newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';
import { type Role, SecuredElasticsearch } from './secured-elasticsearch.ts';

const DOCUMENT = join(import.meta.dirname, '../../../docs/operations.md');
const STREAM = 'logs-sluice-default';
const TAG = 'app.rights';
const PASSWORD = 'of-a-user';
const KEY_LIFE_MS = 8000;
const skip = process.env['SLUICE_TEST_BACKENDS'] === 'containers' ? 'SKIPPED: the server is from jars' : false;

/** The bodies below "Privileges in Elasticsearch", by name. */
function documentedRoles(): ReadonlyMap<string, Role> {
  const roles = new Map<string, Role>();
  for (const [, name = '', body = ''] of readFileSync(DOCUMENT, 'utf8').matchAll(
    /^PUT \/_security\/role\/(\S+)\n(\{.*?^\})/gms,
  ))
    roles.set(name, JSON.parse(body) as Role);
  return roles;
}

function without({ cluster = [], indices = [] }: Role, privilege: string): Role {
  const others = (privileges: readonly string[]): string[] => privileges.filter((each) => each !== privilege);
  const less = {
    cluster: others(cluster),
    indices: indices
      .map(({ names, privileges }) => ({ names, privileges: others(privileges) }))
      // Elasticsearch takes no empty list.
      .filter(({ privileges }) => privileges.length > 0),
  };
  assert.notDeepEqual(less, { cluster, indices }, `${privilege} is one of the role's`);
  return less;
}

async function send({ forward }: Place, from: number, to: number): Promise<void> {
  await using client = new ForwardClient(forward);
  const timeNs = BigInt(Date.now()) * 1_000_000n;
  const events = Array.from({ length: to - from }, (_, i) => ({ timeNs, record: { message: `n${from + i}` } }));
  await client.send(TAG, events, 'packed');
}

suite('Elasticsearch with security', { skip }, () => {
  const roles = documentedRoles();
  let server: SecuredElasticsearch;
  let folder = '';
  before(async () => {
    server = await SecuredElasticsearch.start();
    folder = await mkdtemp(join(tmpdir(), 'sluice-keys-'));
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  const role = (name: string): Role => roles.get(name) ?? assert.fail(`docs/operations.md has no role ${name}`);
  const base = (): Environment => ({
    SLUICE_ELASTICSEARCH_URL: server.server.url,
    SLUICE_ELASTICSEARCH_CA: server.caFile,
  });
  const withKey = async (rights: Role): Promise<Environment> => ({
    ...base(),
    SLUICE_ELASTICSEARCH_API_KEY: await server.newKey(rights),
  });
  const count = async (): Promise<number> => {
    await server.admin('POST', `/${STREAM}/_refresh`);
    return ((await server.admin('GET', `/${STREAM}/_count`)) as { count: number }).count;
  };

  test('set-up has what it needs, and lacks each privilege when it is away', { timeout: 180_000 }, async () => {
    for (const privilege of ['manage_index_templates', 'manage']) {
      const { code, stderr } = await sluice(['setup'], null, await withKey(without(role('sluice-setup'), privilege)));
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`granted by the (cluster|index) privileges \\[[^\\]]*${privilege}`));
    }
    const done = await sluice(['setup'], null, await withKey(role('sluice-setup')));
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^data stream logs-sluice-default: made$/m);
    // In logsdb it asks what the licence has: nothing here stands against a synthetic source.
    for (const mode of ['logsdb', 'standard']) {
      const key = await withKey(role('sluice-setup'));
      const again = await sluice(['setup'], null, { ...key, SLUICE_ELASTICSEARCH_INDEX_MODE: mode });
      assert.equal(again.code, 0, again.stderr);
      assert.match(again.stdout, /^template sluice-logs@mappings: changed/m);
      assert.doesNotMatch(again.stdout, /synthetic source/);
    }
  });

  test('the indexer, and who reads; as users, by password', { timeout: 240_000 }, async () => {
    const users: Record<string, Environment> = {};
    for (const name of ['sluice-indexer', 'sluice-logs']) {
      await server.newUser(name, PASSWORD, role(name));
      users[name] = {
        ...base(),
        SLUICE_ELASTICSEARCH_USERNAME: name,
        SLUICE_ELASTICSEARCH_PASSWORD: PASSWORD,
      };
    }
    await using place = await newPlace();
    await using indexer = await new SluiceProcess(['run'], place, users['sluice-indexer']).ready();
    assert.match(indexer.stderr, /"store":"Elasticsearch 9\.5\.3"/);
    await send(place, 0, 100);
    await indexer.until(async () => (await count()) === 100);
    // What is older than the index that is written to is asked for in the one before.
    await server.admin('POST', `/${STREAM}/_rollover`);
    await send(place, 100, 200);
    await indexer.until(async () => (await count()) === 200);
    assert.equal((await indexer.stop()).code, 0);
    assert.doesNotMatch(indexer.stderr, /unauthorized/);

    const { code, stdout, stderr } = await sluice(['logs', TAG, '-n', 'all'], null, users['sluice-logs']);
    assert.equal(code, 0, stderr);
    assert.equal(new Set(stdout.trim().split('\n')).size, 200);
    const found = await sluice(['search', 'n150'], null, users['sluice-logs']);
    assert.match(found.stdout, /n150/, found.stderr);
    const erased = await sluice(['erase', '--query', 'n150', '--yes'], null, users['sluice-indexer']);
    assert.equal(erased.code, 0, erased.stderr);
    assert.equal(await count(), 199);

    const refused = await sluice(['logs', TAG], null, await withKey(without(role('sluice-logs'), 'read')));
    assert.equal(refused.code, 1, refused.stdout);
    assert.match(refused.stderr, /403.*security_exception/);
  });

  for (const privilege of ['monitor', 'create_doc', 'view_index_metadata']) {
    test(`an indexer without ${privilege} says so, and keeps what came`, { timeout: 120_000 }, async () => {
      const before = await count();
      await using place = await newPlace();
      const less = await withKey(without(role('sluice-indexer'), privilege));
      await using indexer = new SluiceProcess(['run'], place, less);
      let sent = false;
      await indexer.until(async () => {
        sent ||= await send(place, 0, 10).then(
          () => true,
          () => false,
        );
        const { reasons } = await indexer.readiness();
        return sent && /403|security_exception/.test(reasons);
      });
      assert.equal(await count(), before);
      await indexer.kill();
      await using mended = new SluiceProcess(['run'], place, await withKey(role('sluice-indexer')));
      await mended.until(async () => (await count()) === before + 10);
    });
  }

  test(
    'a key that expires in mid-stream loses nothing, says so, and may be replaced',
    { timeout: 180_000 },
    async () => {
      const before = await count();
      const file = join(folder, 'key');
      await writeFile(file, `${await server.newKey(role('sluice-indexer'), `${KEY_LIFE_MS}ms`)}\n`);
      const expires = Date.now() + KEY_LIFE_MS;
      await using place = await newPlace();
      await using indexer = await new SluiceProcess(['run'], place, {
        ...base(),
        SLUICE_ELASTICSEARCH_API_KEY_FILE: file,
      }).ready();
      let sent = 0;
      const sendMore = async (): Promise<void> => send(place, sent, (sent += 50));
      await sendMore();
      await indexer.until(async () => (await count()) >= before + 50);
      await indexer.until(async () => {
        await sendMore();
        return Date.now() > expires && /401/.test((await indexer.readiness()).reasons);
      });
      await sendMore();
      assert((await count()) < before + sent, 'the last came too late for the key');
      assert.match(indexer.stderr, /401.*store_refuses_requests/);
      await writeFile(file, `${await server.newKey(role('sluice-indexer'))}\n`);
      await indexer.until(async () => (await count()) === before + sent && (await indexer.readiness()).ready);
      assert.equal((await indexer.metric('dead_letters_total')) || 0, 0);
      assert.equal((await indexer.stop()).code, 0);
      assert.equal(await count(), before + sent, 'each once');
    },
  );
});
