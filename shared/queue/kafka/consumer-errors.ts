// What a consumer says of itself to its owner.

import { SluiceError } from '#shared/errors.ts';

export function lost(assignment: number, cause?: unknown): SluiceError {
  const message = `Cannot commit under assignment ${assignment}: it is no longer held`;
  return new SluiceError('assignment_lost', message, { cause });
}

export function unavailable(reason: string, cause?: unknown): SluiceError {
  return new SluiceError('queue_unavailable', `Cannot consume from Kafka: ${reason}`, { cause });
}
