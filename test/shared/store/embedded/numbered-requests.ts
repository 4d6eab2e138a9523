// Bulk requests by number, the same ones for whoever writes them and whoever looks for them.

import { type TestDocument, testId } from '#test/contract/store-bodies.ts';

const START = Date.UTC(2026, 0, 1);

export const sizeOf = (number: number): number => (number % 3 === 0 ? 1 + (number % 120) : 1 + (number % 4));

export function requestOf(number: number): TestDocument[] {
  return Array.from({ length: sizeOf(number) }, (_, i) => ({
    id: testId(number, i),
    index: 'logs-sluice-default',
    document: {
      '@timestamp': new Date(START + number * 1000 + i).toISOString(),
      message: `line ${i} of ${number}`,
      fluentd: { tag: `tag.${number % 7}` },
      event: { sequence: number * 1000 + i },
    },
  }));
}
