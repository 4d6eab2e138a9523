// Bulk requests by number whose documents hardly shrink, so that a bound is passed soon: the same ones each time.

import { createHash } from 'node:crypto';
import { type TestDocument, testId } from '#test/contract/store-bodies.ts';

export const DOCUMENTS = 50;
/** Of one message. */
const BYTES = 4096;
const START = Date.UTC(2026, 0, 1);

/** `at`: the time of its documents, where it is not their place in a row. */
export function incompressible(number: number, at?: string, count = DOCUMENTS): TestDocument[] {
  return Array.from({ length: count }, (_, i) => ({
    id: testId(number, i),
    index: 'logs-sluice-default',
    document: {
      '@timestamp': at ?? new Date(START + number * 1000 + i).toISOString(),
      message: `request ${number} ${noise(`${number} ${i}`)}`,
      container: { name: `c${number % 3}` },
      event: { sequence: number * 1000 + i, ingested: new Date(START + number * 1000).toISOString() },
    },
  }));
}

const noise = (seed: string): string =>
  createHash('shake256', { outputLength: (BYTES / 4) * 3 })
    .update(seed)
    .digest('base64');
