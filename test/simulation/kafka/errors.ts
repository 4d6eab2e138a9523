// Errors with the names that the brokers and kafkajs give them.

class KafkaError extends Error {
  /** The brokers' name of it; absent where kafkajs itself failed. */
  readonly type?: string;
  readonly retriable: boolean;

  constructor(name: string, message: string, retriable: boolean, type?: string) {
    super(message);
    this.name = name;
    this.retriable = retriable;
    if (type !== undefined) this.type = type;
  }
}

const RETRIABLE = new Set(['NOT_ENOUGH_REPLICAS', 'REQUEST_TIMED_OUT', 'NOT_LEADER_FOR_PARTITION', 'COORDINATOR_LOAD']);

export function protocolError(type: string): Error {
  return new KafkaError('KafkaJSProtocolError', `the brokers say ${type}`, RETRIABLE.has(type), type);
}

export function connectionError(): Error {
  return new KafkaError('KafkaJSConnectionError', 'connect ECONNREFUSED', true);
}

export function requestTimeout(): Error {
  return new KafkaError('KafkaJSRequestTimeoutError', 'the request timed out', true);
}

export function typeOf(error: unknown): string {
  return error instanceof KafkaError ? (error.type ?? error.name) : '';
}
