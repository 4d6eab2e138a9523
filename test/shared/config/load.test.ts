import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import type { SettingName } from '#shared/config/settings.ts';
import { SluiceError } from '#shared/errors.ts';

const FILES: Record<string, string> = {
  'good.yaml':
    'kafka:\n  brokers: [a:9092, b:9092]\n  sasl: {mechanism: plain, username: u, password: p}\nframe:\n  max_bytes: 1MiB\n',
  'queue.yaml': 'queue:\n  _: embedded\n  max_bytes: 64MiB\n',
  'unknown.yaml': 'kafka:\n  broker: a:9092\n',
  'broken.yaml': 'kafka: [\n',
  'no-networks.yaml': 'allow_networks: []\ninsecure: []\n',
  'no-exemptions.yaml': 'rate:\n  exempt_networks: []\n',
  password: 'from-file\n',
  'key.yaml': 'elasticsearch:\n  api_key: from-yaml\n',
  'key-file.yaml': 'elasticsearch:\n  api_key_file: password\n',
};

function load(env: Record<string, string>, file?: string) {
  return loadConfig({
    env,
    file,
    readFile(path) {
      const text = FILES[path];
      if (text === undefined) throw new Error(`ENOENT: no such file ${path}`);
      return text;
    },
  });
}

function check(
  title: string,
  env: Record<string, string>,
  expected: Partial<Record<SettingName, unknown>>,
  file?: string,
): void {
  test(title, () => {
    const config = load(env, file);
    for (const [name, value] of Object.entries(expected)) assert.deepEqual(config[name as SettingName], value, name);
  });
}

check(
  'defaults',
  {},
  { queue: 'embedded', store: 'embedded', 'forward.listen': '127.0.0.1:24224', 'frame.max_bytes': 67108864 },
);
check(
  'brokers choose kafka',
  { SLUICE_KAFKA_BROKERS: 'a:1, b:2' },
  { queue: 'kafka', 'kafka.brokers': ['a:1', 'b:2'] },
);
check('a queue that is named wins', { SLUICE_KAFKA_BROKERS: 'a:1', SLUICE_QUEUE: 'embedded' }, { queue: 'embedded' });
check('a URL chooses elasticsearch', { SLUICE_ELASTICSEARCH_URL: 'http://e:9200' }, { store: 'elasticsearch' });
check(
  'empty means unset',
  { SLUICE_QUEUE: '', SLUICE_FRAME_MAX_BYTES: '' },
  { queue: 'embedded', 'frame.max_bytes': 67108864 },
);
check('units of bytes', { SLUICE_FRAME_MAX_BYTES: '2MiB' }, { 'frame.max_bytes': 2097152 });
check('units of time', { SLUICE_JOIN_TIMEOUT_MS: '7s' }, { 'join.timeout_ms': 7000 });
check('booleans', { SLUICE_KAFKA_TLS: 'yes' }, { 'kafka.tls': true });
check(
  'a file of YAML',
  {},
  { 'kafka.brokers': ['a:9092', 'b:9092'], 'kafka.sasl.password': 'p', 'frame.max_bytes': 1048576 },
  'good.yaml',
);
check('the file from the environment', { SLUICE_CONFIG: 'good.yaml' }, { queue: 'kafka' });
check('variables win over the file', { SLUICE_FRAME_MAX_BYTES: '65536' }, { 'frame.max_bytes': 65536 }, 'good.yaml');
check('a setting with settings below it', {}, { queue: 'embedded', 'queue.max_bytes': 67108864 }, 'queue.yaml');
check(
  'a secret from a file',
  { SLUICE_ELASTICSEARCH_API_KEY_FILE: 'password' },
  { 'elasticsearch.api_key': 'from-file', 'elasticsearch.api_key_file': 'password' },
);
check(
  'a secret from a file that a file of YAML names',
  {},
  { 'elasticsearch.api_key': 'from-file', 'elasticsearch.api_key_file': 'password' },
  'key-file.yaml',
);
check(
  'a variable wins over that file',
  { SLUICE_ELASTICSEARCH_API_KEY: 'from-variable' },
  { 'elasticsearch.api_key': 'from-variable', 'elasticsearch.api_key_file': undefined },
  'key-file.yaml',
);
check(
  'the file of a variable wins over a key in the file of YAML',
  { SLUICE_ELASTICSEARCH_API_KEY_FILE: 'password' },
  { 'elasticsearch.api_key': 'from-file' },
  'key.yaml',
);
check(
  'what Kubernetes makes for services is not ours',
  {
    SLUICE_SERVICE_HOST: '10.0.0.1',
    SLUICE_SERVICE_PORT_HTTP: '80',
    SLUICE_PORT: 'tcp://10.0.0.1:80',
    SLUICE_FORWARDER_PORT_24224_TCP_ADDR: '10.0.0.1',
  },
  {},
);

function refuse(
  title: string,
  env: Record<string, string>,
  ...args: [...(string | undefined)[], lines: RegExp[]]
): void {
  const lines = args.pop() as RegExp[];
  const [file] = args as (string | undefined)[];
  test(title, () => {
    assert.throws(
      () => load(env, file),
      (error: unknown) => {
        assert(error instanceof SluiceError);
        assert.equal(error.kind.exit, 2);
        const told = error.message.split('\n');
        assert.equal(told.length, lines.length, error.message);
        lines.forEach((pattern, i) => assert.match(told[i] ?? '', pattern));
        return true;
      },
    );
  });
}

refuse('an unknown variable', { SLUICE_KAFKA_BROKER: 'a:1' }, [
  /^SLUICE_KAFKA_BROKER is not a setting; did you mean SLUICE_KAFKA_BROKERS\?$/,
]);
const SAME_TOPIC = /^SLUICE_KAFKA_TOPIC, SLUICE_KAFKA_DEAD_LETTER_TOPIC: both are ".*"; give dead letters a topic/;
refuse(
  'dead letters in the topic of logs',
  { SLUICE_KAFKA_BROKERS: 'a:1', SLUICE_KAFKA_TOPIC: 'sluice.dead-letters' },
  [SAME_TOPIC],
);
refuse('logs and dead letters in one topic', { SLUICE_KAFKA_TOPIC: 'x', SLUICE_KAFKA_DEAD_LETTER_TOPIC: 'x' }, [
  SAME_TOPIC,
]);
refuse('an unknown key', {}, 'unknown.yaml', [
  /^unknown\.yaml: kafka\.broker is not a setting; did you mean kafka\.brokers\?$/,
]);
refuse(
  'all mistakes at once',
  { SLUICE_QUEUE: 'rabbit', SLUICE_FRAME_MAX_BYTES: '12 apples', SLUICE_BULK_CONCURRENCY: '0' },
  [
    /^SLUICE_QUEUE="rabbit".*embedded, kafka/,
    /^SLUICE_FRAME_MAX_BYTES="12 apples".*such as/,
    /^SLUICE_BULK_CONCURRENCY="0".*1 to 64/,
  ],
);
refuse('kafka without brokers', { SLUICE_QUEUE: 'kafka' }, [/^SLUICE_KAFKA_BROKERS is not set/]);
refuse('syslog over TLS without a certificate', { SLUICE_SYSLOG_TLS_LISTEN: ':6514' }, [/^SLUICE_TLS_CERT is not set/]);
refuse('a time zone that there is not', { SLUICE_SYSLOG_TIME_ZONE: 'Mars/Olympus' }, [
  /^SLUICE_SYSLOG_TIME_ZONE="Mars\/Olympus" is no time zone/,
]);
const EMPTY = / has no entry; leave it out, or give one$/;
for (const nothing of [',', ' ', ' , ,'])
  refuse(
    `a list that is set and has no entry: ${JSON.stringify(nothing)}`,
    {
      SLUICE_ALLOW_NETWORKS: nothing,
      SLUICE_INSECURE: nothing,
      SLUICE_RATE_EXEMPT_NETWORKS: nothing,
      SLUICE_KAFKA_BROKERS: nothing,
    },
    [EMPTY, EMPTY, EMPTY, EMPTY],
  );
refuse('the same in a file', {}, 'no-networks.yaml', [
  /^no-networks\.yaml: allow_networks: /,
  /^no-networks\.yaml: insecure: /,
]);
check('but networks may have no exemption', {}, { 'rate.exempt_networks': [] }, 'no-exemptions.yaml');
refuse('a file that is not there', {}, 'none.yaml', [/^none\.yaml: cannot read the configuration: ENOENT/]);
refuse('YAML that is broken', {}, 'broken.yaml', [/^broken\.yaml: cannot read the configuration/]);
refuse('secrets are not told', { SLUICE_ELASTICSEARCH_API_KEY_FILE: 'nowhere' }, [
  /^SLUICE_ELASTICSEARCH_API_KEY_FILE: cannot read nowhere: ENOENT/,
]);
