// What the settings of a topic mean: columns of settings and what is said of them.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  appendBytesMaxOf,
  type TopicFacts,
  topicUnready,
  weaknessesOf,
} from '#shared/queue/kafka/broker/topic-facts.ts';

const STRONG = {
  'min.insync.replicas': '2',
  'unclean.leader.election.enable': 'false',
  'message.timestamp.type': 'LogAppendTime',
  'retention.ms': '604800000',
  'retention.bytes': '-1',
  'compression.type': 'producer',
  'max.message.bytes': '1048588',
};

function facts(settings: Readonly<Record<string, string>>, more: Partial<TopicFacts> = {}): TopicFacts {
  const all = new Map(Object.entries({ ...STRONG, ...settings }));
  return { topicId: null, topic: 't', partitions: 3, replication: 3, inSync: 3, settings: all, ...more };
}

describe('weaknesses of a topic', () => {
  const check = (given: TopicFacts, expected: RegExp[]): void => {
    const found = weaknessesOf(given).map(({ message }) => message);
    assert.equal(found.length, expected.length, found.join('\n'));
    for (const [i, pattern] of expected.entries()) assert.match(found[i] ?? '', pattern);
  };

  it('are told, each by itself', () => {
    check(facts({}), []);
    check(facts({}, { replication: 2 }), [/2 replicas/]);
    check(facts({ 'min.insync.replicas': '1' }), [/min\.insync\.replicas=1/]);
    check(facts({ 'unclean.leader.election.enable': 'true' }), [/unclean/]);
    check(facts({ 'retention.ms': '86399999' }), [/keeps records for 86399999 ms/]);
    check(facts({ 'retention.ms': '86400000' }), []);
    check(facts({ 'retention.ms': '-1' }), []);
    check(facts({ 'retention.bytes': '1000' }), [/retention\.bytes=1000/]);
    check(facts({ 'message.timestamp.type': 'CreateTime' }), [/CreateTime/]);
    check(facts({ 'compression.type': 'lz4' }), []);
    check(facts({ 'compression.type': 'zstd' }), []);
    check(facts({}, { settings: new Map() }), [/cannot be read/]);
    check(facts({ 'min.insync.replicas': '1', 'retention.ms': '5' }, { replication: 1 }), [
      /1 replicas/,
      /min/,
      /5 ms/,
    ]);
  });
});

describe('readiness of a topic', () => {
  const check = (given: TopicFacts, expected: RegExp | null): void => {
    const reason = topicUnready(given);
    if (expected === null) assert.equal(reason, null);
    else assert.match(reason ?? '', expected);
  };

  it('needs leaders and enough replicas in sync', () => {
    check(facts({}), null);
    check(facts({}, { inSync: 2 }), null);
    check(facts({}, { inSync: 1 }), /1 replicas in sync, and needs 2/);
    check(facts({}, { inSync: 0 }), /no leader/);
    check(facts({ 'min.insync.replicas': '1' }, { inSync: 1 }), null);
    check(facts({}, { inSync: 1, settings: new Map() }), null);
  });
});

describe('largest append of a topic', () => {
  it('leaves room for the header of a record batch', () => {
    assert.equal(appendBytesMaxOf(facts({})), 1_048_588 - 61);
    assert.equal(appendBytesMaxOf(facts({ 'max.message.bytes': '10000' })), 9939);
    assert.equal(appendBytesMaxOf(facts({}, { settings: new Map() })), 1_048_588 - 61);
  });
});
