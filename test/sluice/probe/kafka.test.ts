// What `sluice check` says of logins that brokers refuse, and of topics of others.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loginHint, probeSources } from '../../../services/sluice/probe/kafka.ts';

test('the hint names the settings of the mechanism, and no others', () => {
  assert.match(loginHint('scram-sha-512'), /_USERNAME and _PASSWORD/);
  assert.match(loginHint('oauthbearer'), /_TOKEN_URL, _CLIENT_ID, _CLIENT_SECRET/);
  assert.match(loginHint('aws-msk-iam'), /_REGION, the credentials of AWS/);
  assert.match(loginHint(undefined), /none is set/);
  for (const mechanism of ['oauthbearer', 'aws-msk-iam', undefined] as const)
    assert.doesNotMatch(loginHint(mechanism), /_USERNAME|_PASSWORD/);
});

test('a topic of others that is missing or not shown is advice', async () => {
  const refusals = new Map([
    ['missing', 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['hidden', 'TOPIC_AUTHORIZATION_FAILED'],
  ]);
  const fetchTopicMetadata = async ({ topics: [name = ''] = [] }: { topics?: readonly string[] } = {}) => {
    const type = refusals.get(name);
    if (type !== undefined) throw Object.assign(new Error(`no ${name}`), { type });
    const partition = { partitionErrorCode: 0, partitionId: 0, leader: 1, replicas: [1], isr: [1] };
    return { topics: [{ name, partitions: [partition, { ...partition, partitionId: 1 }] }] };
  };
  const rules = ['there', 'missing', 'hidden'].map((topic) => ({ topic, format: 'json' as const }));
  const findings = await probeSources({ fetchTopicMetadata }, [...rules, { pattern: 'a.*', format: 'text' }]);
  assert.deepEqual(
    findings.map(({ outcome, thing }) => [outcome, thing]),
    [
      ['ok', 'Kafka topic there (kafka.sources)'],
      ['weak', 'Kafka topic missing (kafka.sources)'],
      ['weak', 'Kafka topic hidden (kafka.sources)'],
    ],
  );
  const [there, missing, hidden] = findings.map(({ text }) => text);
  assert.equal(there, '2 partitions, read as json');
  assert.match(missing ?? '', /indexers wait for it/);
  assert.match(hidden ?? '', /no hidden/);
  assert.deepEqual(await probeSources({ fetchTopicMetadata }), []);
});
