// Which topics there are, as far as this user may know. A list of topics leaves out those that the user may not
// describe; asked for by name, the brokers refuse them, whether there are such topics or not. So a topic that somebody
// named is never mistaken for one that is not there.

import { SluiceError } from '#shared/errors.ts';
import type { Admin } from '../kafkajs/client.ts';
import { failureOf, isLoginRefused } from './failure.ts';
import { readTopicShape } from './topic-facts.ts';

/** All that are listed, and those of `named` that the brokers refuse to tell about. */
export async function topicNames(admin: Admin, named: Iterable<string>): Promise<string[]> {
  const names = new Set(await admin.listTopics());
  for (const topic of named) if (!names.has(topic) && (await isRefused(admin, topic))) names.add(topic);
  return [...names];
}

async function isRefused(admin: Admin, topic: string): Promise<boolean> {
  try {
    await readTopicShape(admin, topic);
    return false;
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'topic_missing') return false;
    const failure = failureOf(error);
    if (failure.code === 'queue_unauthorized' && !isLoginRefused(failure)) return true;
    throw error;
  }
}
