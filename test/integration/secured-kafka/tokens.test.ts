// Tokens of a few seconds, with a real Kafka that closes connections whose session has ended: a forwarder and an
// indexer outlive their tokens, idle and under load, and the token server's absence. Every event is there once.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { ownTopic } from '../parts/own-topic.ts';
import { kafkaWithTokens, type TokenKafka } from './secured-kafka.ts';
import { newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const LIFETIME_SECONDS = 5;
const TAG = 'app.tokens';
const skip = process.env['SLUICE_TEST_BACKENDS'] === 'containers' ? 'SKIPPED: the brokers are from jars' : false;

class Load {
  sent = 0;
  readonly #client: ForwardClient;

  constructor({ forward }: Place) {
    this.#client = new ForwardClient(forward);
  }

  /** Resolves when all are acked. */
  async send(events: number): Promise<void> {
    const first = this.sent;
    this.sent += events;
    const timeNs = BigInt(Date.now()) * 1_000_000n;
    const records = Array.from({ length: events }, (_, i) => ({ timeNs, record: { message: `n${first + i}` } }));
    await this.#client.send(TAG, records, 'packed');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
  }
}

interface World {
  readonly brokers: TokenKafka;
  readonly forwarder: SluiceProcess;
  readonly indexer: SluiceProcess;
  readonly load: Load;
}

async function inWorld(work: (world: World) => Promise<void>): Promise<void> {
  await using brokers = await kafkaWithTokens();
  const environment = {
    ...ownTopic(brokers.kafka.brokers),
    ...brokers.tokens.environment,
    SLUICE_STORE: 'embedded',
    SLUICE_LOG_LEVEL: 'info',
  };
  const setup = await sluice(['setup'], null, environment);
  assert.equal(setup.code, 0, setup.stderr);
  brokers.tokens.lifetimeSeconds = LIFETIME_SECONDS;
  await using atEdge = await newPlace();
  await using atStore = await newPlace();
  await using forwarder = await new SluiceProcess(['forwarder'], atEdge, environment).ready();
  await using indexer = await new SluiceProcess(['indexer'], atStore, environment).ready();
  await using load = new Load(atEdge);
  await work({ brokers, forwarder, indexer, load });
}

/** What was sent is there, all of it, once. */
async function allThere({ indexer, load }: World): Promise<void> {
  const indexed = async (): Promise<string[]> => {
    const { stdout } = await sluice(['logs', TAG, '-n', 'all'], indexer.place);
    return stdout.split('\n').filter((line) => line !== '');
  };
  let found: string[] = [];
  await indexer.until(async () => (found = await indexed()).length >= load.sent);
  assert.equal(found.length, load.sent);
  assert.equal(new Set(found).size, load.sent);
}

/** Both programs, until each of their tokens has ended twice. */
async function idle({ brokers: { tokens } }: World): Promise<void> {
  const before = tokens.issuedMs.length;
  await delay(2 * LIFETIME_SECONDS * 1000 + 500);
  assert.ok(tokens.issuedMs.length >= before + 2, `${tokens.issuedMs.length - before} new tokens for two programs`);
}

function quiet({ forwarder, indexer }: World): void {
  const trouble = [forwarder, indexer].map(({ stderr }) =>
    stderr.split('\n').filter((line) => /"level":"(warn|error)/.test(line)),
  );
  const expected = /topic_setting_weak/;
  assert.deepEqual(
    trouble.flat().filter((line) => !expected.test(line)),
    [],
  );
}

suite('tokens that end', { skip }, () => {
  test('idle for two lifetimes, then a burst; then load over three lifetimes', { timeout: 240_000 }, () =>
    inWorld(async (world) => {
      const { brokers, load } = world;
      await load.send(100);
      await idle(world);
      await load.send(1000);
      await allThere(world);
      const endMs = Date.now() + 3 * LIFETIME_SECONDS * 1000;
      while (Date.now() < endMs) await load.send(20);
      await allThere(world);
      quiet(world);
      assert.ok(brokers.tokens.forms.every((form) => form === 'grant_type=client_credentials&scope=logs'));
    }),
  );

  test('no token for longer than the last one holds', { timeout: 240_000 }, () =>
    inWorld(async (world) => {
      const { forwarder, indexer, brokers, load } = world;
      const { tokens } = brokers;
      await load.send(100);
      const both = (text: RegExp) => async (): Promise<boolean> =>
        [forwarder, indexer].every(({ stderr }) => text.test(stderr));
      tokens.failure = { status: 503, body: '' };
      await forwarder.until(both(/Cannot get a token from http:[^ ]*\/oauth\/token: 503; look at/));
      const sent = load.send(500);
      tokens.failure = null;
      await sent;
      await allThere(world);
      for (const { stderr } of [forwarder, indexer]) assert.ok(!stderr.includes('s3cret'), 'the secret is in no line');
    }),
  );

  test('sluice check says what is wrong with a token, and shows no secret', async () => {
    await using brokers = await kafkaWithTokens();
    await using place = await newPlace();
    const { kafka, tokens } = brokers;
    const environment = { ...ownTopic(kafka.brokers), ...tokens.environment, SLUICE_STORE: 'embedded' };
    const check = async (more: Record<string, string>): Promise<string> => {
      const { code, stdout, stderr } = await sluice(['check'], place, { ...environment, ...more });
      assert.equal(code, 1, stdout + stderr);
      assert.doesNotMatch(stdout + stderr, /s3cret|hunter2/);
      return stdout;
    };
    const asked = await check({});
    assert.match(asked, /^SLUICE_KAFKA_SASL_CLIENT_SECRET=\*{8}$/m);
    assert.match(asked, /^ok {6}Kafka at /m, 'only the topics are missing');
    assert.match(
      await check({ SLUICE_KAFKA_SASL_CLIENT_SECRET: 'hunter2' }),
      /^failed {2}Kafka at .*: Cannot get a token from http:.*: 401 invalid_client \(unknown client\); check SLUICE_/m,
    );
    const refused =
      /^failed {2}Kafka at .*: Cannot log in to [\d.:]+ with a token: .*invalid_token.*; look at the issuer/m;
    for (const wrong of [{ aud: 'others' }, { iss: 'https://others.test' }, { exp: 1 }]) {
      tokens.claims = wrong;
      assert.match(await check({}), refused, JSON.stringify(wrong));
    }
    tokens.claims = {};
    tokens.forges = true;
    assert.match(await check({}), refused, 'signed by somebody else');
    tokens.forges = false;
    assert.match(await check({}), /^ok {6}Kafka at /m, 'the broker takes those of its issuer as before');
  });
});
