// Asks each of the configured brokers separately, so that a wrong name in the list shows although the others answer.
// Then asks the cluster for the two topics and what their settings promise.

import type { Config } from '#shared/config/settings.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { failureOf } from '#shared/queue/kafka/broker/failure.ts';
import { type Admin, createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { brokersOf } from '#shared/queue/kafka/kafkajs/connect-options.ts';
import { readTopicFacts, topicUnready, weaknessesOf } from '#shared/queue/kafka/broker/topic-facts.ts';
import type { Finding } from './report.ts';

const REQUEST_TIMEOUT_MS = 5000;

export async function probeKafka(config: Config): Promise<Finding[]> {
  const brokers = await Promise.all(brokersOf(config).map((broker) => probeBroker(config, broker)));
  if (!brokers.some(({ outcome }) => outcome === 'ok')) return brokers;
  const topics = await withAdmin(config, async (admin) => [
    ...(await probeTopic(admin, config['kafka.topic'])),
    ...(await probeTopic(admin, config['kafka.dead_letter_topic'])),
  ]).catch((error: unknown): Finding[] => [
    { thing: 'Kafka topics', outcome: 'failed', text: `the brokers do not answer: ${failureOf(error).reason}` },
  ]);
  return [...brokers, ...topics];
}

async function probeBroker(config: Config, broker: string): Promise<Finding> {
  const thing = `Kafka at ${broker}`;
  try {
    const brokers = await withAdmin({ ...config, 'kafka.brokers': [broker] }, async (admin) => admin.describeCluster());
    return { thing, outcome: 'ok', text: `answers, one of ${brokers.brokers.length} brokers` };
  } catch (error) {
    // A file of the configuration that cannot be read has nothing to do with the broker.
    if (error instanceof SluiceError) throw error;
    const { code, reason } = failureOf(error);
    return { thing, outcome: 'failed', text: `${reason}; ${code === 'queue_unauthorized' ? LOGIN : REACH}` };
  }
}

const REACH = 'look at SLUICE_KAFKA_BROKERS, whether the broker runs, and whether it wants TLS (SLUICE_KAFKA_TLS)';
const LOGIN = 'look at SLUICE_KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD, and what that user may do';

async function probeTopic(admin: Admin, topic: string): Promise<Finding[]> {
  const thing = `Kafka topic ${topic}`;
  try {
    const facts = await readTopicFacts(admin, topic);
    const unready = topicUnready(facts);
    const state: Finding =
      unready === null
        ? { thing, outcome: 'ok', text: `${facts.partitions} partitions, ${facts.replication} replicas` }
        : { thing, outcome: 'failed', text: `${unready}; look at the brokers` };
    const weak = weaknessesOf(facts).map(({ message }): Finding => ({ thing, outcome: 'weak', text: message }));
    return [state, ...weak];
  } catch (error) {
    const text =
      error instanceof SluiceError ? reasonOf(error) : `${failureOf(error).reason}; may the user describe it?`;
    return [{ thing, outcome: 'failed', text }];
  }
}

async function withAdmin<T>(config: Config, work: (admin: Admin) => Promise<T>): Promise<T> {
  const client = createClient(config, { requestTimeoutMs: REQUEST_TIMEOUT_MS, debug: () => undefined });
  const admin = client.admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
