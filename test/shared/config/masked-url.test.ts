// No password of a URL is printed, however it was written.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { maskedUrl } from '#shared/config/value-text.ts';
import { brokerNames } from '#shared/queue/kafka/kafkajs/connect-options.ts';

const check = (text: string, expected: string): Promise<void> =>
  test(text, () => assert.equal(maskedUrl(text), expected));

const M = '********';
void check('https://u:hunter2@es:9200/x', `https://${M}@es:9200/x`);
void check('http://a:9200,https://u:hunter2@b,http://c', `http://a:9200,https://${M}@b,http://c`);
void check('http://u:h@a, http://v:h@b', `http://${M}@a, http://${M}@b`);
void check('http://u:hunt,er/2@x#y?@es', `http://${M}@es`);
void check('http://token@es', `http://${M}@es`);
void check('http://es:9200/a', 'http://es:9200/a');
void check('elastic:hunter2@es:9200', `${M}@es:9200`);
void check('a:9200, elastic:hunt/er2@es:9200,http://u:h@c', `a:9200, ${M}@es:9200,http://${M}@c`);
void check('fd:3@127.0.0.1:24224', 'fd:3@127.0.0.1:24224');
void check('fd:3,4@127.0.0.1:24224', 'fd:3,4@127.0.0.1:24224');
void check('kafka-1:9092,kafka-2:9092', 'kafka-1:9092,kafka-2:9092');

test('brokers, as messages name them', () => {
  const env = { SLUICE_KAFKA_BROKERS: 'SASL_SSL://u:hunter2@a:9092,u:hunter2@b:9092,c:9092' };
  const config = loadConfig({ env, readFile: () => '' });
  assert.deepEqual(brokerNames(config), [`SASL_SSL://${M}@a:9092`, `${M}@b:9092`, 'c:9092']);
});
