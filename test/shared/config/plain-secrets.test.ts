// Which secrets are told of, for each way to reach what wants them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { plainSecrets } from '#shared/config/plain-secrets.ts';

function check(env: Readonly<Record<string, string>>, expected: readonly RegExp[]): void {
  test(Object.values(env).join(' '), () => {
    const found = plainSecrets(loadConfig({ env, readFile: () => '' }));
    assert.equal(found.length, expected.length, found.join('\n'));
    for (const [i, pattern] of expected.entries()) assert.match(found[i] ?? '', pattern);
    assert.doesNotMatch(found.join(), /hunter2/);
  });
}

const sasl = { SLUICE_KAFKA_SASL_USERNAME: 'u', SLUICE_KAFKA_SASL_PASSWORD: 'hunter2' };
const kafka = (brokers: string, mechanism: string, more: Record<string, string> = {}) => ({
  ...sasl,
  SLUICE_KAFKA_BROKERS: brokers,
  SLUICE_KAFKA_SASL_MECHANISM: mechanism,
  ...more,
});
check(kafka('kafka:9092,127.0.0.1:9092', 'plain'), [/goes to kafka:9092 unencrypted.*SLUICE_KAFKA_TLS/]);
check(kafka('[2001:db8::1]:9092', 'plain'), [/2001:db8::1/]);
check(kafka('localhost:9092,[::1]:9092', 'plain'), []);
check(kafka('kafka:9092', 'plain', { SLUICE_KAFKA_TLS: 'true' }), []);
check(kafka('kafka:9092', 'scram-sha-256'), []);
check({ SLUICE_KAFKA_BROKERS: 'kafka:9092', SLUICE_KAFKA_TLS_CA: 'ca.pem' }, [/are not used: set SLUICE_KAFKA_TLS/]);

const tokens = (brokers: string, tokenUrl: string, more: Record<string, string> = {}) => ({
  SLUICE_KAFKA_BROKERS: brokers,
  SLUICE_KAFKA_SASL_MECHANISM: 'oauthbearer',
  SLUICE_KAFKA_SASL_TOKEN_URL: tokenUrl,
  SLUICE_KAFKA_SASL_CLIENT_ID: 'c',
  SLUICE_KAFKA_SASL_CLIENT_SECRET: 'hunter2',
  ...more,
});
const plainUrl = { SLUICE_KAFKA_TLS: 'true', SLUICE_KAFKA_SASL_TOKEN_URL_PLAIN: 'true' };
check(tokens('kafka:9092', 'https://idp/token'), [/tokens of SASL oauthbearer go to kafka:9092 unencrypted/]);
check(tokens('kafka:9092', 'https://idp/token', { SLUICE_KAFKA_TLS: 'true' }), []);
check(tokens('kafka:9092', 'http://idp/token', plainUrl), [/client secret goes to http:\/\/idp\/token unencrypted/]);

const url = 'SLUICE_ELASTICSEARCH_URL';
const key = { SLUICE_ELASTICSEARCH_API_KEY: 'hunter2' };
check({ [url]: 'http://es:9200,https://es2:9200', ...key }, [/goes to http:\/\/es:9200 unencrypted/]);
check({ [url]: 'http://u:hunter2@es:9200' }, [/http:\/\/\*{8}@es:9200/]);
check({ [url]: 'http://es:9200' }, []);
check({ [url]: 'https://es:9200', ...key }, []);
check({ [url]: 'http://127.0.0.1:9200,http://[::1]:9200,http://localhost:9200', ...key }, []);
const kibana = { [url]: 'https://es:9200', SLUICE_KIBANA_URL: 'http://kibana:5601' };
check({ ...kibana, ...key }, [/login of Kibana goes to http:\/\/kibana:5601 unencrypted/]);
check({ ...kibana, SLUICE_KIBANA_URL: 'http://u:hunter2@kibana:5601' }, [/http:\/\/\*{8}@kibana:5601/]);
check(kibana, []);
check({ ...kibana, ...key, SLUICE_KIBANA_URL: 'http://127.0.0.1:5601' }, []);
check({ SLUICE_LAMBDA_DEAD_LETTER_URL: 'http://letters/x' }, [/SLUICE_LAMBDA_DEAD_LETTER_URL/]);

check({ SLUICE_HTTP_TOKENS: 't.yaml', SLUICE_HTTP_LISTEN: ':9880' }, [/tokens to :9880/]);
check({ SLUICE_HTTP_TOKENS: 't.yaml' }, []);
const certificate = { SLUICE_TLS_CERT: 'c.pem', SLUICE_TLS_KEY: 'k.pem' };
check({ SLUICE_HTTP_TOKENS: 't.yaml', SLUICE_HTTP_LISTEN: ':9880', ...certificate }, []);
