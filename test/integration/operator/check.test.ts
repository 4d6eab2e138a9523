// `sluice check` against a real Kafka: before `sluice setup`, after it, and with a broker among several that is not
// there.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { freePort } from '#test/backends/free-port.ts';
import { kafka } from '#test/backends/kafka.ts';
import { removeTopics } from '#test/contract/queue-places.ts';
import { ownTopic } from '../parts/own-topic.ts';
import { newPlace, sluice } from '../parts/sluice-process.ts';

const broker = await kafka();

suite('sluice check', { skip: broker ? false : 'SKIPPED: no Kafka' }, () => {
  test('tells of brokers and topics', async (t) => {
    const environment = { ...ownTopic(broker?.brokers), SLUICE_STORE: 'embedded' };
    t.after(() => removeTopics(loadConfig({ env: environment, readFile: () => '' })));
    await using place = await newPlace();
    const before = await sluice(['check'], place, environment);
    assert.equal(before.code, 1, before.stdout);
    assert.match(before.stdout, /^ok {6}Kafka at .*: answers, one of \d+ brokers$/m);
    assert.equal(
      before.stdout.match(/^failed {2}Kafka topic .*: .*does not exist: run `sluice setup`$/gm)?.length,
      2,
      before.stdout,
    );

    assert.equal((await sluice(['setup'], null, environment)).code, 0);
    const after = await sluice(['check'], place, environment);
    assert.equal(after.code, 0, after.stdout);
    assert.equal(after.stdout.match(/^ok {6}Kafka topic .*: \d+ partitions, \d+ replicas$/gm)?.length, 2, after.stdout);

    const wrong = `127.0.0.1:${await freePort()}`;
    const one = await sluice(['check'], place, {
      ...environment,
      SLUICE_KAFKA_BROKERS: `${environment.SLUICE_KAFKA_BROKERS},${wrong}`,
    });
    assert.equal(one.code, 1, one.stdout);
    assert.match(one.stdout, new RegExp(`^failed  Kafka at ${wrong}: `, 'm'));
    assert.match(one.stdout, /^ok {6}Kafka topic /m);
  });
});
