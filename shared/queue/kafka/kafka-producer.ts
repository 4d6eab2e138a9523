// Appends to Kafka with acks=all. What several partitions append in one turn of the event loop goes in one request; if
// that fails, each append is tried again by itself, with growing pauses, until it is older than the produce timeout.
//
// Guarantees: an append resolves only after all in-sync replicas have it; a partition's appends keep their order while
// its caller has one in flight. A try whose answer was lost may have been written: readers see such records twice. A
// partition that takes nothing delays no other, and has no other written more than twice.

import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import type { Headed } from '../headers.ts';
import { type Failure, failureOf, isLoginRefused } from './broker/failure.ts';
import { type Kafka, NO_COMPRESSION, type Producer } from './kafkajs/client.ts';

// A broker takes requests of 100 MiB (socket.request.max.bytes); one answer for very many partitions is a long wait for
// all.
const REQUEST_BYTES_MAX = 16 * 1024 * 1024;
const PAUSE_FIRST_MS = 50;
const PAUSE_MAX_MS = 1000;

interface Append {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly Headed[];
  readonly bytes: number;
  /** On the monotonic clock. */
  readonly deadlineMs: number;
  readonly settled: PromiseWithResolvers<void>;
}

export interface ProducerOptions {
  readonly clock: Clock;
  readonly produceTimeoutMs: number;
  /** How long the brokers may wait for replicas. */
  readonly ackTimeoutMs: number;
  /** A request has failed and may succeed later; or the brokers have answered for good (null). */
  outcome(failure: Failure | null): void;
}

export class KafkaProducer implements AsyncDisposable {
  readonly #kafka: Kafka;
  readonly #options: ProducerOptions;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #producer: Producer;
  /** Pending while it connects; null before that, and after it failed. */
  #connected: Promise<void> | null = null;
  #waiting: Append[] = [];
  #flushing = false;

  constructor(kafka: Kafka, options: ProducerOptions) {
    this.#kafka = kafka;
    this.#options = options;
    this.#producer = createProducer(kafka);
  }

  /**
   * Connects if that was not done yet, or not with success: kafkajs takes nothing before, and calls that a refusal for
   * good.
   */
  connect(): Promise<void> {
    if (this.#connected !== null) return this.#connected;
    const connected = this.#producer.connect().catch((error: unknown) => {
      if (this.#connected === connected) this.#connected = null;
      throw error;
    });
    this.#connected = connected;
    return connected;
  }

  /**
   * Rejects with queue_unavailable or topic_missing after the produce timeout; with queue_refused at once if another
   * try would not help.
   */
  append(topic: string, partition: number, records: readonly Headed[], bytes: number): Promise<void> {
    const settled = Promise.withResolvers<void>();
    const deadlineMs = this.#options.clock.monotonicMs() + this.#options.produceTimeoutMs;
    this.#waiting.push({ topic, partition, records, bytes, deadlineMs, settled });
    if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => this.#flush());
    }
    return settled.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#waiting.length > 0) this.#flush();
    this.#closing.abort();
    await Promise.allSettled(this.#inFlight);
    await this.#producer.disconnect();
  }

  #flush(): void {
    this.#flushing = false;
    while (this.#waiting.length > 0) {
      const sending = this.#send(this.#takeRequest());
      this.#inFlight.add(sending);
      void sending.finally(() => this.#inFlight.delete(sending));
    }
  }

  /** The first append of each partition, as many as one request may hold. */
  #takeRequest(): Append[] {
    const request: Append[] = [];
    const rest: Append[] = [];
    const taken = new Set<string>();
    let bytes = 0;
    for (const append of this.#waiting) {
      const place = `${append.topic}/${append.partition}`;
      if (taken.has(place) || (request.length > 0 && bytes + append.bytes > REQUEST_BYTES_MAX)) rest.push(append);
      else {
        request.push(append);
        bytes += append.bytes;
      }
      taken.add(place);
    }
    this.#waiting = rest;
    return request;
  }

  async #send(request: readonly Append[]): Promise<void> {
    const { clock, outcome } = this.#options;
    let left = request;
    for (let pauseMs = PAUSE_FIRST_MS; left.length > 0; pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)) {
      const failure = await this.#try(left);
      outcome(failure !== null && (failure.retryable || isLoginRefused(failure)) ? failure : null);
      if (failure === null) return settleAll(left, null);
      if (failure.retryable) {
        if (this.#closing.signal.aborted) return settleAll(left, appendError(failure));
        left = dropOverdue(left, clock.monotonicMs() + pauseMs, failure);
        if (left.length > 0) await clock.sleep(pauseMs, this.#closing.signal).catch(() => undefined);
      } else if (left.length === 1) return settleAll(left, appendError(failure));
      // kafkajs tells of one fault for all of a request: it may be of one partition, and the others are written.
      if (left.length > 1 && (failure.isSent || !failure.retryable)) {
        await Promise.all(left.map((append) => this.#send([append])));
        return;
      }
    }
  }

  /** `isSent`: some of it may be written. */
  async #try(appends: readonly Append[]): Promise<(Failure & { readonly isSent: boolean }) | null> {
    let producer = this.#producer;
    let isSent = false;
    try {
      // Another request may have found it broken meanwhile, and renewed it.
      for (await this.connect(); producer !== this.#producer; await this.connect()) producer = this.#producer;
      isSent = true;
      await producer.sendBatch({
        acks: -1,
        timeout: this.#options.ackTimeoutMs,
        compression: NO_COMPRESSION,
        topicMessages: appends.map(({ topic, partition, records }) => ({
          topic,
          messages: records.map(({ headers, value }) => ({
            partition,
            value: asBuffer(value),
            headers: buffersOf(headers),
          })),
        })),
      });
      return null;
    } catch (error) {
      const failure = failureOf(error);
      if (failure.broken && producer === this.#producer) await this.#renew();
      return { ...failure, isSent: isSent && !failure.broken };
    }
  }

  async #renew(): Promise<void> {
    const broken = this.#producer;
    this.#producer = createProducer(this.#kafka);
    this.#connected = null;
    void broken.disconnect().catch(() => undefined);
    // If it cannot connect, the next try says so.
    await this.connect().catch(() => undefined);
  }
}

function createProducer(kafka: Kafka): Producer {
  return kafka.producer({
    allowAutoTopicCreation: false,
    idempotent: false,
    metadataMaxAge: 300_000,
    // Every message names its partition.
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition ?? 0,
    // One try: the pauses and the deadline are ours.
    retry: { retries: 0 },
  });
}

function dropOverdue(appends: readonly Append[], nowMs: number, failure: Failure): Append[] {
  const left: Append[] = [];
  for (const append of appends) {
    if (append.deadlineMs > nowMs) left.push(append);
    else append.settled.reject(appendError(failure));
  }
  return left;
}

function settleAll(appends: readonly Append[], error: SluiceError | null): void {
  for (const { settled } of appends) {
    if (error === null) settled.resolve();
    else settled.reject(error);
  }
}

function appendError({ code, reason }: Failure): SluiceError {
  return new SluiceError(code, `Cannot append to Kafka: ${reason}`);
}

// kafkajs needs Buffers; these are views.
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function buffersOf(headers: Headed['headers']): Record<string, Buffer> {
  const buffers: Record<string, Buffer> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) buffers[name] = asBuffer(value);
  }
  return buffers;
}
