// What is told of the settings of a login to Kafka, for each mechanism.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';

type Given = Readonly<Record<string, string>>;

/** `given`: names below SLUICE_KAFKA_SASL_, and whole ones. */
function check(given: Given, expected: readonly RegExp[]): void {
  test(JSON.stringify(given), () => {
    const env: Record<string, string> = { SLUICE_KAFKA_BROKERS: 'kafka:9092' };
    for (const [name, value] of Object.entries(given)) {
      env[name.startsWith('SLUICE_') ? name : `SLUICE_KAFKA_SASL_${name}`] = value;
    }
    const lines = mistakesOf(env);
    assert.equal(lines.length, expected.length, lines.join('\n'));
    for (const [i, pattern] of expected.entries()) assert.match(lines[i] ?? '', pattern);
    assert.doesNotMatch(lines.join('\n'), /hunter2/);
  });
}

function mistakesOf(env: Given): string[] {
  try {
    loadConfig({ env, readFile: () => 'hunter2\n' });
    return [];
  } catch (error) {
    assert(error instanceof Error);
    return error.message.split('\n');
  }
}

const user = { USERNAME: 'u', PASSWORD: 'hunter2' };
check({ MECHANISM: 'plain', ...user }, []);
check({ MECHANISM: 'scram-sha-512', USERNAME: 'u' }, [/^SLUICE_KAFKA_SASL_PASSWORD is not set: .*scram-sha-512/]);
check({ MECHANISM: 'plain' }, [/_USERNAME is not set/, /_PASSWORD is not set/]);
check({ MECHANISM: 'plain', ...user, CLIENT_ID: 'c' }, [/_CLIENT_ID is set, and plain does not use it: unset it/]);
check({ MECHANISM: 'kerberos' }, [/plain, scram-sha-256, scram-sha-512, oauthbearer, aws-msk-iam/]);

const client = { CLIENT_ID: 'c', CLIENT_SECRET: 'hunter2' };
const token = { MECHANISM: 'oauthbearer', TOKEN_URL: 'https://idp/token', ...client };
check(token, []);
check({ ...token, SCOPE: 's', TOKEN_CA: 'ca.pem', EXTENSIONS: 'logicalCluster=lkc-1,identityPoolId=pool-1' }, []);
check({ MECHANISM: 'oauthbearer', TOKEN_URL: 'https://idp/token', CLIENT_ID: 'c', CLIENT_SECRET_FILE: 'secret' }, []);
check({ MECHANISM: 'oauthbearer' }, [/_TOKEN_URL is not set/, /_CLIENT_ID is not set/, /_CLIENT_SECRET is not set/]);
check({ ...token, ...user }, [/_USERNAME is set, and oauthbearer does not use it/, /_PASSWORD is set/]);
check({ ...token, REGION: 'eu-west-1' }, [/_REGION is set/]);
check({ ...token, TOKEN_URL: 'http://idp/token' }, [/unencrypted; use https:\/\/, or set .*TOKEN_URL_PLAIN=true/]);
check({ ...token, TOKEN_URL: 'http://idp/token', TOKEN_URL_PLAIN: 'true' }, []);
check({ ...token, TOKEN_URL: 'http://127.0.0.1:8080/token' }, []);
check({ ...token, TOKEN_URL: 'http://[::1]:8080/token' }, []);
check({ ...token, TOKEN_URL: 'http://localhost/token', TOKEN_CA: 'ca.pem' }, [/TOKEN_CA is not used/]);
check({ ...token, TOKEN_URL: 'https://c:hunter2@idp/token' }, [/https:\/\/\*{8}@idp\/token": holds a login/]);
check({ ...token, TOKEN_URL: 'idp/token' }, [/"idp\/token": is no https:\/\/ URL/]);
check({ ...token, TOKEN_URL: 'ftp://idp/token' }, [/is no https:\/\/ URL/]);
check({ ...token, EXTENSIONS: 'auth=x' }, [/EXTENSIONS="auth=x"/]);
check({ ...token, EXTENSIONS: 'a_b=x,=x,a' }, [/"a_b=x"/, /"=x"/, /"a"/]);
check({ ...token, EXTENSIONS: 'a=b\u0001auth=Bearer x' }, [/EXTENSIONS=/]);
check({ TOKEN_URL: 'https://idp/token', ...client }, [
  /_TOKEN_URL is set, and SLUICE_KAFKA_SASL_MECHANISM is not/,
  /_ID/,
  /_SECRET/,
]);

const msk = { MECHANISM: 'aws-msk-iam', SLUICE_KAFKA_TLS: 'true' };
const unknown = /^SLUICE_KAFKA_SASL_REGION is not set: .*neither the brokers' names nor AWS_REGION tell it$/;
check(msk, [unknown]);
check({ ...msk, REGION: 'eu-west-1' }, []);
check({ MECHANISM: 'aws-msk-iam', REGION: 'eu-west-1' }, [/^SLUICE_KAFKA_TLS is not true/]);
check({ ...msk, REGION: 'eu-west-1', ...client }, [/_CLIENT_ID is set/, /_CLIENT_SECRET is set/]);

function checkRegion(brokers: string, more: Given, expected: string | undefined): void {
  test(`${brokers} ${JSON.stringify(more)}`, () => {
    const [SLUICE_KAFKA_SASL_MECHANISM, SLUICE_KAFKA_TLS] = ['aws-msk-iam', 'true'];
    const env = { SLUICE_KAFKA_BROKERS: brokers, SLUICE_KAFKA_SASL_MECHANISM, SLUICE_KAFKA_TLS, ...more };
    if (expected === undefined) assert.match(mistakesOf(env).join(), unknown);
    else assert.equal(loadConfig({ env, readFile: () => '' })['kafka.sasl.region'], expected);
  });
}

const ofMsk = 'b-1.logs.ab12.c2.kafka.eu-central-1.amazonaws.com:9098';
checkRegion(ofMsk, { AWS_REGION: 'us-east-1' }, 'eu-central-1');
checkRegion(ofMsk, { SLUICE_KAFKA_SASL_REGION: 'us-west-2' }, 'us-west-2');
checkRegion('boot-x1.c1.kafka-serverless.us-east-1.amazonaws.com:9098', {}, 'us-east-1');
checkRegion('b-1.x.ab.c2.kafka.cn-north-1.amazonaws.com.cn:9098', {}, 'cn-north-1');
checkRegion(`kafka.internal:9098,${ofMsk}`, {}, 'eu-central-1');
checkRegion('kafka.internal:9098', { AWS_REGION: 'us-east-1' }, 'us-east-1');
checkRegion('kafka.internal:9098', { AWS_DEFAULT_REGION: 'us-east-2' }, 'us-east-2');
checkRegion('kafka.internal:9098', { AWS_REGION: '' }, undefined);
