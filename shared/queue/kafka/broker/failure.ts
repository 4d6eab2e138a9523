// What an error of kafkajs means for us: whether another try may help, and what to report. Pure: it looks at names
// only.

import { type ErrorCode, isRetryable, reasonOf, SluiceError } from '#shared/errors.ts';

export interface Failure {
  readonly code: ErrorCode;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Kafka's name of the error, such as NOT_ENOUGH_REPLICAS, else kafkajs's. */
  readonly type: string;
  readonly reason: string;
  /** A fault inside kafkajs: the client is not to be used again. */
  readonly broken: boolean;
  /**
   * Whether this error is known to pass by itself. What nobody knows is tried again too, for as long as its caller
   * likes.
   */
  readonly passes: boolean;
}

// The brokers say of these records that they will never take them, whoever asks. Nothing else counts as a refusal: a
// refused record goes to the dead letters. INVALID_TIMESTAMP is none of them: each try has the time of its own, so a
// clock that is set right mends it.
const REFUSALS = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD']);

// Kafka's own errors say whether they pass; of kafkajs's these do.
const RETRYABLE_NAMES = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSTopicMetadataNotLoaded',
  'KafkaJSBrokerNotFound',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSLockTimeout',
]);

// An operator can mend these, and then the same request succeeds: authorization of topic or cluster, and SASL.
const UNAUTHORIZED = /_AUTHORIZATION_FAILED$|SASL/;

// With these a new client of a group would fare no better: someone must act. All else is tried again, for as long as it
// takes.
export const CONSUMER_FATAL = new Set([
  'GROUP_AUTHORIZATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'INVALID_GROUP_ID',
  'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_SESSION_TIMEOUT',
  'KafkaJSSASLAuthenticationError',
  'KafkaJSNotImplemented',
]);

// These end a commit's hope under the generation it carries.
export const GENERATION_LOST = new Set([
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
  'FENCED_INSTANCE_ID',
]);

/** What a failure of kafkajs means for us. */
export function failureOf(error: unknown): Failure {
  const root = rootOf(error);
  const reason = reasonOf(root) + hintFor(root);
  const kafkaType = typeof root === 'object' && root !== null && 'type' in root ? root.type : undefined;
  const type = typeof kafkaType === 'string' ? kafkaType : root instanceof Error ? root.name : '';
  const told = { type, reason, broken: false };
  // One of ours that came through kafkajs: there is no token to log in with.
  if (root instanceof SluiceError) {
    return { ...told, code: root.code, retryable: isRetryable(root), passes: isRetryable(root) };
  }
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return { ...told, code: 'topic_missing', retryable: true, passes: true };
  // It does not expect some orders of events, such as a broker that is lost while it is looked for, or an answer that
  // is cut off.
  if (root instanceof TypeError || root instanceof RangeError) {
    return { ...told, code: 'queue_unavailable', retryable: true, passes: true, broken: true };
  }
  if (UNAUTHORIZED.test(type)) return { ...told, code: 'queue_unauthorized', retryable: false, passes: false };
  if (REFUSALS.has(type)) return { ...told, code: 'queue_refused', retryable: false, passes: false };
  const named = root instanceof Error && RETRYABLE_NAMES.has(root.name);
  const flagged =
    typeof kafkaType === 'string' && root instanceof Error && 'retriable' in root && root.retriable === true;
  return { ...told, code: 'queue_unavailable', retryable: true, passes: named || flagged };
}

/** Nothing was answered to the request itself: until an operator acts, no other fares better. */
export function isLoginRefused({ code, type }: Failure): boolean {
  return code === 'queue_unauthorized' && !type.endsWith('_AUTHORIZATION_FAILED');
}

/** kafkajs drops why each broker refused to tell the coordinator. */
function hintFor(root: unknown): string {
  if (!(root instanceof Error) || root.name !== 'KafkaJSGroupCoordinatorNotFound') return '';
  const right = 'this user lacks the right Describe on the group, see "Rights in Kafka" in docs/operations.md';
  return `; the brokers have none yet, or ${right}`;
}

export function lost(assignment: number, cause?: unknown): SluiceError {
  const message = `Cannot commit under assignment ${assignment}: it is no longer held`;
  return new SluiceError('assignment_lost', message, { cause });
}

export function unavailable(reason: string, cause?: unknown): SluiceError {
  return new SluiceError('queue_unavailable', `Cannot consume from Kafka: ${reason}`, { cause });
}

/** Until an operator acts, this user may not read. */
export function refused(reason: string, cause?: unknown): SluiceError {
  return new SluiceError('queue_unauthorized', `Cannot consume from Kafka: ${reason}`, { cause });
}

// "Retries exceeded" and "not retriable" are wrappers; what went wrong is below them. Of several errors the first
// speaks for all.
function rootOf(error: unknown): unknown {
  let root = error;
  for (let depth = 0; depth < 8; depth++) {
    if (root instanceof Error && 'errors' in root && Array.isArray(root.errors) && root.errors[0] instanceof Error) {
      [root] = root.errors;
      continue;
    }
    if (!(root instanceof Error) || !(root.cause instanceof Error)) return root;
    if (root.name !== 'KafkaJSNumberOfRetriesExceeded' && root.name !== 'KafkaJSNonRetriableError') return root;
    root = root.cause;
  }
  return root;
}
