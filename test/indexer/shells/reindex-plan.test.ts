// Which offsets of a partition a reading of a range has to read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf } from '#indexer/shells/reindex-plan.ts';
import type { RewindRange } from '#shared/queue/rewind-source.ts';

test('a plan', () => {
  const check = (given: Partial<RewindRange>, expected: readonly number[]): void => {
    const range = { partition: 0, low: 0, first: 100, end: 200, saved: null, ...given };
    const { spans, records, done, lost, cut } = planOf([range]);
    assert.deepEqual([spans[0]?.next, spans[0]?.tries, records, done, lost, cut.length], expected);
  };
  //     next tries records done lost cut
  check({}, [100, 0, 100, 0, 0, 0]);
  check({ low: 100 }, [100, 0, 100, 0, 0, 1]);
  check({ low: 300, first: 300, end: 300 }, [300, 0, 0, 0, 0, 0]);
  check({ saved: { next: 150, tries: 2 } }, [150, 2, 100, 50, 0, 0]);
  check({ saved: { next: 150, tries: 2 }, low: 170, first: 170 }, [170, 0, 30, 0, 20, 0]);
  check({ saved: { next: 150, tries: 1 }, low: 250, first: 250, end: 250 }, [250, 0, 0, 0, 100, 0]);
  check({ saved: { next: 900, tries: 0 } }, [200, 0, 100, 100, 0, 0]);
});
