// Where a function puts what cannot be indexed, since it has no queue to write to: a data stream of its own, or an HTTP
// endpoint.
//
// Guarantees: a dead letter is stored there before its event's offset is passed. The same dead letter again, from an
// event that came again, is the same document.

import { createHash } from 'node:crypto';
import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { appendDeadLetters } from '#shared/queue/dead-letter-appends.ts';
import type { DeadLetter, DeadLetterFragment, Queue } from '#shared/queue/queue.ts';
import { decodeBatches } from '#shared/record/record.ts';
import type { BulkItem, Store } from '#shared/store/store.ts';

type DeadLetterSink = Pick<Queue, 'appendDeadLetters' | 'appendBytesMax'>;

const INDEX = 'logs-sluice.dead_letters-default';
const DEAD_LETTER_BYTES_MAX = 1024 * 1024;
const POST_MS = 10_000;
/** The parts of one that is larger have the same ids, too, when they are written again. */
const IN_PARTS = {
  bytesMax: DEAD_LETTER_BYTES_MAX,
  idOf: (deadLetter: DeadLetter) => Buffer.from(deadLetterId(deadLetter), 'hex'),
};

/** Dead letters as documents, which `sluice search` and Kibana find: fields under `attributes`, the bytes as base64. */
export class StoreDeadLetters implements DeadLetterSink {
  readonly appendBytesMax = DEAD_LETTER_BYTES_MAX;
  readonly #store: Pick<Store, 'bulk'>;
  readonly #clock: Clock;

  constructor(store: Pick<Store, 'bulk'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Rejects with what the store said; the caller tries again. */
  appendDeadLetters(deadLetters: readonly DeadLetter[]): Promise<void> {
    return appendDeadLetters(deadLetters, { ...IN_PARTS, append: (one) => this.#append(one.deadLetters) });
  }

  async #append(deadLetters: readonly DeadLetter[]): Promise<void> {
    const now = new Date(this.#clock.epochMs()).toISOString();
    const pieces: string[] = [];
    const items: BulkItem[] = [];
    let at = 0;
    for (const deadLetter of deadLetters) {
      const id = deadLetterId(deadLetter);
      const action = `${JSON.stringify({ create: { _index: INDEX, _id: id } })}\n`;
      const document = JSON.stringify({
        '@timestamp': now,
        event: { ingested: now },
        message: deadLetter.error,
        ...originOf(deadLetter),
        attributes: deadLetterFields(deadLetter),
      });
      const docStart = at + Buffer.byteLength(action);
      const docEnd = docStart + Buffer.byteLength(document);
      items.push({ index: INDEX, id, actionStart: at, docStart, docEnd });
      pieces.push(action, document, '\n');
      at = docEnd + 1;
    }
    const outcomes = await this.#store.bulk({ body: Buffer.from(pieces.join('')), items });
    for (const { status, errorReason } of outcomes) {
      const isHeld = status === 200 || status === 201 || status === 409;
      if (!isHeld) throw new SluiceError('store_refused', `Cannot keep a dead letter: ${errorReason ?? status}`);
    }
  }
}

/** Dead letters as JSON lines, posted to a URL that answers 2xx when it has stored them. */
export class PostedDeadLetters implements DeadLetterSink {
  readonly appendBytesMax = DEAD_LETTER_BYTES_MAX;
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  appendDeadLetters(deadLetters: readonly DeadLetter[]): Promise<void> {
    return appendDeadLetters(deadLetters, { ...IN_PARTS, append: (one) => this.#append(one.deadLetters) });
  }

  async #append(deadLetters: readonly DeadLetter[]): Promise<void> {
    const lines = deadLetters.map((deadLetter) => {
      const { error } = deadLetter;
      return `${JSON.stringify({ id: deadLetterId(deadLetter), ...deadLetterFields(deadLetter), error })}\n`;
    });
    const failed = (why: string): SluiceError =>
      new SluiceError('store_unavailable', `Cannot keep dead letters at ${new URL(this.#url).origin}: ${why}`);
    const answer = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: lines.join(''),
      signal: AbortSignal.timeout(POST_MS),
    }).catch((error: unknown) => {
      throw failed(reasonOf(error));
    });
    await answer.arrayBuffer();
    if (!answer.ok) throw failed(`it answered ${answer.status}`);
  }
}

/**
 * What is behind the dead letter and not its moment: the same event that comes again has the same. The batch belongs to
 * it, for a record has many batches, each with an event 0; and the bytes, for a topic that was made anew has the same
 * positions with other records.
 */
function deadLetterId({ from, batches, index, reason, value, fragment }: DeadLetter): string {
  if (fragment) return `${Buffer.from(fragment.id).toString('hex')}-${fragment.at}`;
  return createHash('sha256')
    .update(`${from}/${index ?? ''}/${reason}/${batches.length}/`)
    .update(batches)
    .update(value)
    .digest('hex')
    .slice(0, 32);
}

function originOf({ batches }: DeadLetter): object {
  const [batch] = decodeBatches(batches) ?? [];
  return batch
    ? { fluentd: { tag: batch.tag }, ...(batch.tenant === null ? {} : { tenant: { id: batch.tenant } }) }
    : {};
}

function deadLetterFields(deadLetter: DeadLetter): Record<string, unknown> {
  const { batches, index, reason, from, value, cut, encoding, recordVersion, fragment } = deadLetter;
  return {
    reason,
    from,
    ...(index === undefined ? {} : { index }),
    cut,
    // Of a whole record, which could not be read again without them.
    ...(encoding ? { encoding: Buffer.from(encoding).toString('utf8') } : {}),
    ...(recordVersion ? { record_v: Buffer.from(recordVersion).toString('utf8') } : {}),
    batches: Buffer.from(batches).toString('base64'),
    value: Buffer.from(value).toString('base64'),
    ...(fragment ? { part: fragmentFields(fragment) } : {}),
  };
}

/** `value` is the bytes from `at` on, of so many; the first `table_bytes` of all are the batches. */
function fragmentFields({ id, at, bytes, tableBytes }: DeadLetterFragment): Record<string, unknown> {
  return { id: Buffer.from(id).toString('hex'), at, bytes, table_bytes: tableBytes };
}
