// The Idempotency-Key of an HTTP request: the name by which a repeat of its events is recognized.

import type { IncomingMessage } from 'node:http';
import { SluiceError } from '#shared/errors.ts';

const IDEMPOTENCY_KEY_MAX = 255;

/** Null: it has none. Throws request_malformed. */
export function idempotencyKey(request: IncomingMessage): Buffer | null {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string' || key.length === 0) return null;
  if (key.length > IDEMPOTENCY_KEY_MAX) {
    throw new SluiceError(
      'request_malformed',
      `Cannot take an Idempotency-Key of more than ${IDEMPOTENCY_KEY_MAX} bytes`,
    );
  }
  return Buffer.from(key, 'latin1');
}

/** Of the URL: a part of what a key names. */
export function queryOf(url = ''): string {
  const mark = url.indexOf('?');
  return mark < 0 ? '' : url.slice(mark + 1);
}
