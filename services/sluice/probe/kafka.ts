// Asks each of the configured brokers separately, so that a wrong name in the list shows although the others answer.
// Then asks the cluster for the two topics and what their settings promise, and whether it has the topics of others
// that `kafka.sources` names.

import type { Config } from '#shared/config/settings.ts';
import type { SourceRule } from '#shared/config/settings/sources.ts';
import { maskedUrl } from '#shared/config/value-text.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { failureOf } from '#shared/queue/kafka/broker/failure.ts';
import { type Admin, createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { brokersOf } from '#shared/queue/kafka/kafkajs/connect-options.ts';
import { withAdmin } from '#shared/queue/kafka/kafkajs/with-admin.ts';
import { readTopicFacts, topicUnready, weaknessesOf } from '#shared/queue/kafka/broker/topic-facts.ts';
import type { Finding } from './report.ts';

const REQUEST_TIMEOUT_MS = 5000;

export async function probeKafka(config: Config): Promise<Finding[]> {
  const brokers = await Promise.all(brokersOf(config).map((broker) => probeBroker(config, broker)));
  if (!brokers.some(({ outcome }) => outcome === 'ok')) return brokers;
  const topics = await askBrokers(config, async (admin) => [
    ...(await probeTopic(admin, config['kafka.topic'])),
    ...(await probeTopic(admin, config['kafka.dead_letter_topic'])),
    ...(await probeSources(admin, config['kafka.sources'])),
  ]).catch((error: unknown): Finding[] => [
    { thing: 'Kafka topics', outcome: 'failed', text: `the brokers do not answer: ${failureOf(error).reason}` },
  ]);
  return [...brokers, ...topics];
}

async function probeBroker(config: Config, broker: string): Promise<Finding> {
  const thing = `Kafka at ${maskedUrl(broker)}`;
  try {
    const brokers = await askBrokers({ ...config, 'kafka.brokers': [broker] }, async (admin) =>
      admin.describeCluster(),
    );
    return { thing, outcome: 'ok', text: `answers, one of ${brokers.brokers.length} brokers` };
  } catch (error) {
    // A file of the configuration that cannot be read has nothing to do with the broker.
    if (error instanceof SluiceError && error.code === 'config_invalid') throw error;
    const { code, reason } = failureOf(error);
    // There is no token, or it was refused: that says itself what to do.
    if (error instanceof SluiceError) return { thing, outcome: 'failed', text: reason };
    return {
      thing,
      outcome: 'failed',
      text: `${reason}; ${code === 'queue_unauthorized' ? loginHint(config['kafka.sasl.mechanism']) : REACH}`,
    };
  }
}

const REACH = 'look at SLUICE_KAFKA_BROKERS, whether the broker runs, and whether it wants TLS (SLUICE_KAFKA_TLS)';

/** Where a login was refused: what has to be right for its mechanism. */
export function loginHint(mechanism: Config['kafka.sasl.mechanism']): string {
  const looked = 'look at SLUICE_KAFKA_SASL_MECHANISM';
  switch (mechanism) {
    case undefined:
      return `${looked} (none is set), and what a client without a login may do`;
    case 'oauthbearer':
      return `${looked}, _TOKEN_URL, _CLIENT_ID, _CLIENT_SECRET, _SCOPE and _EXTENSIONS, and what that client may do`;
    case 'aws-msk-iam':
      return `${looked} and _REGION, the credentials of AWS that this process has, and what their role may do`;
    case 'plain':
    case 'scram-sha-256':
    case 'scram-sha-512':
      return `${looked}, _USERNAME and _PASSWORD, and what that user may do`;
  }
}

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

/**
 * Topics that a rule names. What is wrong with one is no failure: indexers wait for it, and this process may be another
 * that has no right to it.
 */
export async function probeSources(
  admin: Pick<Admin, 'fetchTopicMetadata'>,
  rules: readonly SourceRule[] = [],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { topic, format } of rules) {
    if (topic === undefined) continue;
    const thing = `Kafka topic ${topic} (kafka.sources)`;
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const text = `${topics[0]?.partitions.length ?? 0} partitions, read as ${format}`;
      findings.push({ thing, outcome: 'ok', text });
    } catch (error) {
      const { code, reason } = failureOf(error);
      const text = code === 'topic_missing' ? 'does not exist: indexers wait for it' : reason;
      findings.push({ thing, outcome: 'weak', text });
    }
  }
  return findings;
}

function askBrokers<T>(config: Config, work: (admin: Admin) => Promise<T>): Promise<T> {
  return withAdmin(createClient(config, { requestTimeoutMs: REQUEST_TIMEOUT_MS, debug: () => undefined }), work);
}
