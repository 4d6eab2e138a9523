// The composition of the whole system, without starting it: docker-compose reads it, with all its profiles, and our
// services in it are held as tight as they can be, with settings that exist, beside backends of the versions that the
// tests use.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { parse } from 'yaml';
import { loadConfig } from '#shared/config/load.ts';

const root = join(import.meta.dirname, '../..');
const file = join(root, 'infra/docker/compose.yaml');
const profiles = ['kibana', 'monitoring'];
const missing = spawnSync('docker-compose', ['--version']).status !== 0;

interface Service {
  readonly image: string;
  readonly build?: object;
  readonly user?: string;
  readonly privileged?: boolean;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
  readonly network_mode?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** As docker-compose understands it: anchors, profiles and short forms resolved. */
function services(): [name: string, service: Service][] {
  const chosen = profiles.flatMap((profile) => ['--profile', profile]);
  const text = execFileSync('docker-compose', ['--file', file, ...chosen, 'config'], { encoding: 'utf8' });
  const composed: { services: Record<string, Service> } = parse(text);
  return Object.entries(composed.services);
}

/** ENV of the image, which the environment of a service is put over. */
function imageEnvironment(): Record<string, string> {
  const dockerfile = readFileSync(join(root, 'infra/docker/Dockerfile'), 'utf8');
  return Object.fromEntries(
    Array.from(dockerfile.matchAll(/\b(SLUICE_\w+)=(\S+)/g), ([, name = '', value = '']) => [name, value]),
  );
}

/** The first image of that name that a text names. */
const imageIn = (text: string, name: string): string | undefined => new RegExp(`${name}:[\\w.-]+`).exec(text)?.[0];

suite('compose.yaml', { skip: missing ? 'SKIPPED: no docker-compose' : false }, () => {
  test('is read, with all its profiles', () => {
    const { services: written }: { services: Record<string, { profiles?: string[] }> } = parse(
      readFileSync(file, 'utf8'),
      { merge: true },
    );
    const named = new Set(Object.values(written).flatMap((service) => service.profiles ?? []));
    assert.deepEqual([...named].sort(), profiles);
    assert.deepEqual(
      services()
        .map(([name]) => name)
        .sort(),
      Object.keys(written).sort(),
    );
  });

  test('ports are published on loopback only, and what is mounted is there', () => {
    for (const [name, { ports = [], volumes = [], privileged, network_mode: network }] of services()) {
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name);
      assert.ok(!privileged && network === undefined, name);
      for (const volume of volumes) {
        const [source = ''] = volume.split(':');
        if (source.startsWith('/')) assert.ok(existsSync(source), `${name}: ${source}`);
      }
    }
  });

  test('our services: read-only, not root, no capabilities, settings that exist, time enough to stop', () => {
    const ours = services().filter(([, { build }]) => build);
    assert.deepEqual(ours.map(([name]) => name).sort(), [
      'forwarder-1',
      'forwarder-2',
      'indexer-1',
      'indexer-2',
      'lag',
      'setup',
    ]);
    for (const [name, service] of ours) {
      assert.equal(service.read_only, true, name);
      assert.deepEqual([service.cap_drop, service.cap_add], [['ALL'], undefined], name);
      assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name);
      assert.equal(service.user, undefined, `${name}: the image's own user`);
      const env = { ...imageEnvironment(), ...service.environment };
      const config = loadConfig({ env, readFile: () => '' });
      assert.deepEqual([config.queue, config.store], ['kafka', 'elasticsearch'], name);
      const graceMs = Number(/^(\d+)s$/.exec(service.stop_grace_period ?? '')?.[1]) * 1000;
      assert.ok(graceMs > config['shutdown.timeout_ms'], `${name}: ${service.stop_grace_period}`);
    }
    const users = readFileSync(join(root, 'infra/docker/Dockerfile'), 'utf8').match(/^USER .*$/gm);
    assert.deepEqual(users, ['USER 65532:65532']);
  });

  test('the backends are those of the tests, and Kibana is of the age of Elasticsearch', () => {
    // Without the digest (images.test.ts).
    const images = new Map(services().map(([name, { image }]) => [name, image.replace(/@.*/, '')]));
    const inTests = (backend: string): string => readFileSync(join(root, `test/backends/${backend}.ts`), 'utf8');
    for (const name of ['kafka-1', 'kafka-2', 'kafka-3'])
      assert.equal(images.get(name), imageIn(inTests('kafka'), 'apache/kafka'));
    const ofElasticsearch = imageIn(inTests('elasticsearch'), 'docker.elastic.co/elasticsearch/elasticsearch');
    assert.equal(images.get('elasticsearch'), ofElasticsearch);
    assert.equal(images.get('kibana'), ofElasticsearch?.replace('elasticsearch/elasticsearch', 'kibana/kibana'));
  });
});
