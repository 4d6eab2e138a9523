// Each role with just the rights that docs/operations.md gives it, against a real Kafka that allows nothing else; and
// what a role says that lacks one.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { suite, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { openKafkaQueue } from '#shared/queue/kafka/kafka-queue.ts';
import { silentQueueObserver as observer } from '#shared/queue/queue-observer.ts';
import { encodeBatches } from '#shared/record/record.ts';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { World } from '#test/indexer/world.ts';
import { applyAcls, documentedAcls } from './kafka-acls.ts';
import { ADMIN, kafkaWithUsers, PASSWORD } from './secured-kafka.ts';
import { type Finished, newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const NAMES = ['forwarder', 'indexer', 'setup', 'lag', 'cat', 'dead-letters', 'reindex', 'erase'];
const ROLES = NAMES.map((name) => `sluice-${name}`);
const NOBODY = 'nobody';
const TAG = 'app.rights';
const skip = process.env['SLUICE_TEST_BACKENDS'] === 'containers' ? 'SKIPPED: the brokers are from jars' : false;

type As = (user: string, password?: string) => Record<string, string>;

function done({ code, stdout, stderr }: Finished): string {
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.doesNotMatch(stdout + stderr, /lacks the right|cannot be read/i);
  return stdout;
}

async function send({ forward }: Place, from: number, to: number): Promise<void> {
  await using client = new ForwardClient(forward);
  const timeNs = BigInt(Date.now()) * 1_000_000n;
  const events = Array.from({ length: to - from }, (_, i) => ({ timeNs, record: { message: `n${from + i}` } }));
  await client.send(TAG, events, 'packed');
}

/** An event, and an entry whose record is a number: the indexer has to give that to the dead letters. */
async function sendNoEvent({ forward }: Place): Promise<void> {
  const socket = connect(forward, '127.0.0.1');
  const entries = new Uint8Array([0x92, 0x00, 0x80, 0x92, 0x00, 0x05]);
  socket.write(encode(['app.no-event', entries, { chunk: 'no event' }]));
  await once(socket, 'data');
  socket.destroy();
}

/** What an indexer could not index, as the user. */
async function appendDeadLetter(environment: Record<string, string>): Promise<void> {
  const config = loadConfig({ env: environment, readFile: () => '' });
  await using queue = openKafkaQueue(config, { clock: systemClock, observer, debug: () => undefined });
  await queue.opened();
  const world = new World();
  const batches = encodeBatches([{ ...world.batch(1), tag: TAG, receivedMs: Date.now() }]);
  const about = { batches, from: 'sluice.logs/0/7', cut: false, index: 0, reason: 'document_refused' } as const;
  await queue.appendDeadLetters([{ ...about, error: 'refused', value: world.entry({ message: 'again' }) }]);
}

async function groupsOf(environment: Record<string, string>): Promise<string[]> {
  const config = loadConfig({ env: environment, readFile: () => '' });
  const admin = createClient(config, { debug: () => undefined }).admin();
  await admin.connect();
  const { groups } = await admin.listGroups();
  await admin.disconnect();
  return groups.map(({ groupId }) => groupId);
}

async function indexed(place: Place, events: number): Promise<void> {
  const { stdout } = await sluice(['logs', TAG, '-n', 'all'], place);
  assert.equal(new Set(stdout.split('\n').filter((line) => line !== '')).size, events, stdout);
}

/** In the order in which an operator would come to them. */
async function eachRole(as: As): Promise<void> {
  assert.equal(done(await sluice(['setup'], null, as('sluice-setup'))).match(/made with|begins at/g)?.length, 3);
  assert.match(done(await sluice(['setup'], null, as('sluice-setup'))), /has offsets in all partitions/);

  await using atEdge = await newPlace();
  await using atStore = await newPlace();
  assert.match(
    done(await sluice(['check'], atEdge, as('sluice-forwarder'))),
    /^ok {6}Kafka topic sluice\.dead-letters/m,
  );
  await using forwarder = await new SluiceProcess(['forwarder'], atEdge, as('sluice-forwarder')).ready();
  await send(atEdge, 0, 10);
  await sendNoEvent(atEdge);
  await appendDeadLetter(as('sluice-forwarder'));

  const lag = async () =>
    JSON.parse(done(await sluice(['lag', '--json'], null, as('sluice-lag')))) as { records: number };
  assert.ok((await lag()).records > 0);
  done(await sluice(['indexer', '--drain'], atStore, as('sluice-indexer')));
  await indexed(atStore, 10);
  assert.equal((await lag()).records, 0);

  await using indexer = await new SluiceProcess(['indexer'], atStore, as('sluice-indexer')).ready();
  await send(atEdge, 10, 20);
  await indexer.until(async () => (await lag()).records === 0);
  for (const program of [forwarder, indexer]) done(await program.stop());
  await indexed(atStore, 20);

  const events = done(await sluice(['cat'], null, as('sluice-cat')));
  assert.equal(events.match(/"message":"n\d+"/g)?.length, 20, events);
  assert.equal(done(await sluice(['cat', '--topic', 'dead-letters'], null, as('sluice-cat'))).match(/\n/g)?.length, 2);
  const listed = done(await sluice(['dead-letters', 'list'], null, as('sluice-dead-letters')));
  assert.match(listed, /entry_malformed/);
  const replay = ['dead-letters', 'replay', '--reason', 'document_refused'];
  assert.match(done(await sluice(replay, atStore, as('sluice-dead-letters'))), /^1 indexed/);
  assert.match(done(await sluice([...replay], atStore, as('sluice-dead-letters'))), /^0 indexed/, 'it was marked');
  assert.deepEqual(await groupsOf(as(ADMIN.user, ADMIN.password)), ['sluice-indexer'], 'no group of a reader is left');
}

/** Topics of others, by name and by pattern; what is read again; what is erased. */
async function furtherRoles(as: As, allow: () => void): Promise<void> {
  const sources = JSON.stringify([
    { topic: 'filebeat', format: 'json' },
    { pattern: String.raw`apps\..*`, format: 'text' },
  ]);
  const withSources = (user: string) => ({ ...as(user), SLUICE_KAFKA_SOURCES: sources });
  await writeForeign(as(ADMIN.user, ADMIN.password), { filebeat: '{"message":"by name"}', 'apps.one': 'by pattern' });
  await using place = await newPlace();
  // It may not even see the topic, which is no reason to take it for one that is not there.
  lacks(await sluice(['indexer', '--drain'], place, withSources('sluice-indexer')), 'Describe on the topic');
  lacks(await sluice(['lag'], null, withSources('sluice-lag')), 'Describe on the topic');
  for (const command of [
    ['reindex', '--from', '1h'],
    ['erase', '--query', 'n3'],
  ])
    assert.notEqual((await sluice(command, place, as(`sluice-${command[0]}`))).code, 0, 'the rights below are needed');
  allow();

  const lagOf = async (): Promise<Record<string, number>> => {
    const lines = done(await sluice(['lag', '--json'], null, withSources('sluice-lag')))
      .trim()
      .split('\n');
    const lags = lines.map((line) => JSON.parse(line) as { topic: string; records: number });
    return Object.fromEntries(lags.map(({ topic, records }) => [topic, records]));
  };
  assert.deepEqual(await lagOf(), { 'sluice.logs': 0, filebeat: 1, 'apps.one': 1 });
  done(await sluice(['indexer', '--drain'], place, withSources('sluice-indexer')));
  const found = done(await sluice(['logs', '-n', 'all'], place));
  assert.deepEqual([/by name/.test(found), /by pattern/.test(found)], [true, true], found);
  assert.deepEqual(await lagOf(), { 'sluice.logs': 0, filebeat: 0, 'apps.one': 0 });

  const back = JSON.parse(done(await sluice(['reindex', '--from', '1h', '--json'], place, as('sluice-reindex'))));
  assert.deepEqual([back.indexed >= 20, back.done], [true, true], JSON.stringify(back));
  const erase = ['erase', '--query', 'n3', '--yes', '--json'];
  const erased = JSON.parse(done(await sluice(erase, place, as('sluice-erase'))));
  assert.deepEqual([erased.erased.documents, erased.done], [1, true], JSON.stringify(erased));
  const groups = await groupsOf(as(ADMIN.user, ADMIN.password));
  assert.deepEqual(
    groups.filter((group) => /-(read|reindex)-/.test(group)),
    [],
    'no group of a reader is left',
  );
}

/** A message in each of these topics. */
async function writeForeign(environment: Record<string, string>, messages: Record<string, string>): Promise<void> {
  const client = createClient(loadConfig({ env: environment, readFile: () => '' }), { debug: () => undefined });
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({ topics: Object.keys(messages).map((topic) => ({ topic, numPartitions: 1 })) });
  await admin.disconnect();
  const producer = client.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  for (const [topic, text] of Object.entries(messages))
    await producer.send({ topic, messages: [{ headers: {}, value: Buffer.from(text), partition: 0 }] });
  await producer.disconnect();
}

function lacks({ code, stdout, stderr }: Finished, right: string): void {
  assert.equal(code, 1, `${stdout}\n${stderr}`);
  const said = `${stdout}\n${stderr}`;
  assert.ok(said.includes(`this user lacks the right ${right}, see "Rights in Kafka" in docs/operations.md`), said);
}

async function whoLacksRights(as: As): Promise<void> {
  await using place = await newPlace();
  lacks(await sluice(['check'], place, as(NOBODY)), 'Describe on the topic');
  lacks(await sluice(['lag'], null, as(NOBODY)), 'Describe on the topic');
  lacks(await sluice(['cat'], null, as(NOBODY)), 'Describe on the topic');
  lacks(await sluice(['setup'], null, as(NOBODY)), 'Create on the topic');
}

suite('rights in Kafka', { skip }, () => {
  test('each role has what it needs, and says what it lacks', { timeout: 240_000 }, async () => {
    await using kafka = await kafkaWithUsers([...ROLES, NOBODY]);
    await kafka.start();
    await using folder = await newPlace();
    applyAcls(kafka.brokers, documentedAcls('Rights in Kafka'), folder.dataDir);
    const as: As = (user, password = PASSWORD) => ({
      SLUICE_KAFKA_BROKERS: kafka.brokers.join(),
      SLUICE_KAFKA_SASL_MECHANISM: 'plain',
      SLUICE_KAFKA_SASL_USERNAME: user,
      SLUICE_KAFKA_SASL_PASSWORD: password,
      SLUICE_STORE: 'embedded',
    });
    await eachRole(as);
    await whoLacksRights(as);
    await furtherRoles(as, () => {
      applyAcls(kafka.brokers, documentedAcls('Further rights in Kafka'), folder.dataDir);
    });
  });
});
