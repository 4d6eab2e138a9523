// What a queue reports to its operator as it happens, besides the results of calls. Each kind is an event with its own
// name in the log, so that none is merged with another.

import type { Log } from '#shared/log.ts';

export interface QueueObserver {
  /** A topic promises less than Sluice's own set-up would, by this setting; a sentence says why that matters. */
  topicWeak(weakness: TopicWeakness): void;
  /** The queue cannot take records, from now on. */
  unavailable(reason: string): void;
  /** The client of a consumer group has ended, and the next one begins. */
  consumerRestarts(group: string, reason: string): void;
  /** Where reading goes on is not known yet; it is asked for again. */
  offsetsUnknown(group: string, reason: string): void;
  /** The brokers went from one offset to the next one without a word. */
  recordsSkipped(partition: number, from: number, to: number): void;
  /** Nothing that was fetched can be believed, so often in a row; it is fetched again, the others go on. */
  fetchRefused(partition: number, reason: string, times: number): void;
  /** The embedded queue has something to say of its files. */
  filesTroubled(message: string): void;
}

export interface TopicWeakness {
  readonly topic: string;
  /** The setting's name in Kafka, or what else it is about: replicas, settings. */
  readonly setting: string;
  readonly message: string;
}

/** Tells the log. Whoever folds repeats in the log must not fold two settings, groups or partitions into one. */
export function observeInLog(log: Pick<Log, 'warn' | 'error'>): QueueObserver {
  return {
    topicWeak: ({ topic, setting, message }) => log.warn('topic_setting_weak', { topic, setting, what: message }),
    unavailable: (reason) => log.warn('queue_unavailable', { what: reason, effect: 'it is tried again' }),
    consumerRestarts: (group, reason) => log.warn('consumer_restarts', { group, what: reason }),
    offsetsUnknown: (group, reason) =>
      log.warn('offsets_unknown', { group, what: reason, effect: 'they are read again' }),
    recordsSkipped: (partition, from, to) => log.error('records_skipped', { partition, from, to }),
    fetchRefused: (partition, reason, times) =>
      log.error('fetch_refused', { partition, what: reason, times, effect: 'it is fetched again, the others go on' }),
    filesTroubled: (message) => log.warn('queue_files_troubled', { what: message }),
  };
}

/** Each as a sentence, for commands that a person reads. */
export function observeInWords(tell: (sentence: string) => void): QueueObserver {
  return {
    topicWeak: ({ message }) => tell(message),
    unavailable: (reason) => tell(`The queue cannot take records: ${reason}`),
    consumerRestarts: (group, reason) => tell(`The consumer of group ${group} starts again: ${reason}`),
    offsetsUnknown: (group, reason) => tell(`Cannot read the offsets of group ${group}: ${reason}`),
    recordsSkipped: (partition, from, to) =>
      tell(`Records ${from} to ${to} of partition ${partition} are not there to be read`),
    fetchRefused: (partition, reason) => tell(`Partition ${partition} stands still: ${reason}`),
    filesTroubled: tell,
  };
}

/** Nobody listens. */
export const silentQueueObserver: QueueObserver = observeInWords(() => undefined);
