// `kafka.sources`: from the YAML file or a variable to rules, with every mistake told, and which rule a topic has.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { ruleOf, type SourceRule } from '#shared/config/settings/sources.ts';

const KAFKA = { SLUICE_KAFKA_BROKERS: 'localhost:9092' };

function rulesOf(sources: string, env: Record<string, string> = KAFKA): readonly SourceRule[] | undefined {
  return loadConfig({ env: { ...env, SLUICE_KAFKA_SOURCES: sources }, readFile: () => '' })['kafka.sources'];
}

test('rules are lists of maps, in the file and in a variable', () => {
  const rules = [
    { topic: 'app-logs', format: 'json', time: { field: 'ts', format: 'ms' }, tag: 'app.{topic}', keep: ['key'] },
    { pattern: 'logs\\..*', format: 'text', tenant: 'acme' },
  ];
  assert.deepEqual(rulesOf(JSON.stringify(rules)), rules);
  assert.deepEqual(rulesOf('[{topic: app-logs, format: ndjson}]'), [{ topic: 'app-logs', format: 'ndjson' }]);
  const yaml = 'kafka:\n  brokers: localhost:9092\n  sources:\n    - topic: app-logs\n      format: ndjson\n';
  const config = loadConfig({ env: {}, file: 'sluice.yaml', readFile: () => yaml });
  assert.deepEqual(config['kafka.sources'], [{ topic: 'app-logs', format: 'ndjson' }]);
});

suite('mistakes', () => {
  const check = (sources: string, mistake: RegExp, env = KAFKA): void => {
    test(sources, () => {
      assert.throws(
        () => rulesOf(sources, env),
        (error: Error) => mistake.test(error.message),
      );
    });
  };
  check('{topic: a, format: json}', /SLUICE_KAFKA_SOURCES must be array/);
  check('[{format: json}]', /kafka\.sources\.0: give either a topic or a pattern/);
  check('[{topic: a, pattern: b, format: json}]', /give either a topic or a pattern/);
  check('[{topic: a}]', /SLUICE_KAFKA_SOURCES\.0 must have required properties format/);
  check('[{topic: a, format: xml}]', /SLUICE_KAFKA_SOURCES\.0\.format must be/);
  check('[{topic: a, format: json, group: g}]', /SLUICE_KAFKA_SOURCES\.0\.group is no known key/);
  check('[{topic: a, format: json, time: {field: t, format: iso}}]', /\.0\.time\.format must be/);
  check('[{topic: a, format: text, time: {field: t, format: s}}]', /a time of a field goes with json and ndjson/);
  check('[{topic: a, format: text, tag: "{b}"}]', /its tag names \{b\}, and text has no fields/);
  check('[{topic: a, format: json, tag: "a{b"}]', /its tag has a brace without its other one/);
  check('[{topic: a, format: json, tag: "a{}"}]', /its tag has \{\} without a name/);
  check('[{pattern: "(", format: json}]', /its pattern is no regular expression/);
  check('[{topic: a, format: json}, {topic: a, format: text}]', /kafka\.sources\.1: topic a has a rule already/);
  check('[{topic: sluice.logs, format: json}]', /topic sluice\.logs is one of Sluice's own/);
  check('[{topic: sluice.dead-letters, format: json}]', /topic sluice\.dead-letters is one of Sluice's own/);
  check('[{topic: __consumer_offsets, format: json}]', /topic __consumer_offsets is one of the brokers' own/);
  check('[{topic: "a b", format: json}]', /\.0\.topic must match/);
  check('[{topic: a, format: json, tenant: "a b"}]', /\.0\.tenant must match/);
  check('[{', /is neither YAML nor JSON/);
  check('[{topic: a, format: json}]', /kafka\.sources: the queue is embedded/, {} as typeof KAFKA);
});

suite('the rule of a topic', () => {
  const rules: SourceRule[] = [
    { pattern: 'logs.*', format: 'json' },
    { topic: 'logs-text', format: 'text' },
    { pattern: '.*', format: 'ndjson' },
    { topic: '_named', format: 'text' },
  ];
  const check = (topic: string, format: string | null): void => {
    test(topic, () => assert.equal(ruleOf(topic, rules, ['logs.own', 'logs.dead'])?.format ?? null, format));
  };
  check('logs-a', 'json');
  check('logs-text', 'text');
  check('my-logs', 'ndjson');
  check('logs.own', null);
  check('logs.dead', null);
  check('__consumer_offsets', null);
  check('_schemas', null);
  check('_named', 'text');
});
