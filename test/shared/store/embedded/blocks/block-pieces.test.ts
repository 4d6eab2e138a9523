// However large a bulk request is, and however far apart its documents are: the blocks that are made of its bytes have
// each of them once, under its own name, and are those that would be made of its documents one by one.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { BatchReader } from '#shared/store/embedded/batch-reader.ts';
import { type BatchKey, idOf, namesIn } from '#shared/store/embedded/blocks/document-ids.ts';
import { encodeBatch } from '#shared/store/embedded/blocks/encode-batch.ts';
import { encodeBlock } from '#shared/store/embedded/blocks/encode-block.ts';
import { blocksOf } from '#shared/store/embedded/document-pieces.ts';
import { BLOCK_BYTES, BLOCK_DOCUMENTS } from '#shared/store/embedded/tables/block-merge.ts';

const HOUR_MS = 3_600_000;
const GROUPS_MAX = 8;

/** Documents at these hours, each message so long. Returns how many each block has. */
function check(documents: readonly (readonly [hour: number, length: number])[], gaps: ReadonlySet<number>): number[] {
  const texts = documents.map(([hour, length], i) =>
    JSON.stringify({
      '@timestamp': new Date(1_772_366_400_000 + hour * HOUR_MS + i).toISOString(),
      message: `${i} ${'x'.repeat(length)}`,
    }),
  );
  const bounds = new Uint32Array(texts.length * 2);
  let at = 0;
  for (const [i, text] of texts.entries()) {
    bounds.set([at, at + text.length], 2 * i);
    at += text.length + 1;
  }
  const { batch } = new BatchReader().read({ body: Buffer.from(`${texts.join('\n')}\n`), bounds });
  // A new run of names where there is a gap.
  const runs: { key: BatchKey; first: number; last: number }[] = [];
  for (const i of texts.keys()) {
    const run = runs.at(-1);
    const first = i + 10 * runs.length;
    if (run === undefined || gaps.has(i)) runs.push({ key: Buffer.alloc(16, i % 7), first, last: first });
    else run.last += 1;
  }
  const ids = [...namesIn(runs)].map(idOf);
  const rows = Float64Array.from(texts, (_, i) => 100 + i);
  const origins = Float64Array.from(texts, (_, i) => 1 + (i % 3));
  const chosen = { batch, documents: Int32Array.from(texts.keys()), rows, origins, runs };
  const seen: number[] = [];
  const counts: number[] = [];
  for (const block of blocksOf(chosen, GROUPS_MAX)) {
    const own = [...block.documents];
    assert.deepEqual(
      encodeBatch(block),
      encodeBlock(
        own.map((i) => ({
          ...batch.knownOf(i),
          id: ids[i] ?? '',
          row: 100 + i,
          origin: 1 + (i % 3),
          text: texts[i] ?? '',
        })),
      ),
    );
    const bytes = own.reduce((sum, i) => sum + (texts[i]?.length ?? 0), 0);
    assert(own.length <= BLOCK_DOCUMENTS && (bytes <= BLOCK_BYTES || own.length === 1));
    seen.push(...own);
    counts.push(own.length);
  }
  assert.deepEqual(
    seen.toSorted((a, b) => a - b),
    [...texts.keys()],
  );
  return counts;
}

it('of few documents, in any order of times', () => {
  const one = fc.tuple(fc.constantFrom(0, 0, 1, 5, -400_000), fc.nat(40));
  fc.assert(
    fc.property(fc.array(one, { maxLength: 60 }), fc.array(fc.nat(60)), (documents, gaps) => {
      check(documents, new Set(gaps));
    }),
    { numRuns: 100 },
  );
});

it('of as many documents each, so that none is small', () => {
  const near = (count: number) => Array.from({ length: count }, () => [0, 10] as const);
  assert.deepEqual(check(near(2048), new Set([7])), [2048]);
  assert.deepEqual(check(near(2049), new Set([7, 1500])), [1025, 1024]);
  assert.deepEqual(check(near(5000), new Set([1, 2, 1700])), [1667, 1667, 1666]);
  // One from long ago has a block of its own.
  assert.deepEqual(check([...near(3000), [-50_000, 10] as const], new Set()), [1, 1500, 1500]);
});

it('of as many bytes as a block takes, and of one that has more', () => {
  const large = BLOCK_BYTES / 4;
  assert.deepEqual(
    check(
      [
        [0, large],
        [0, large],
        [0, 2 * large],
        [0, 5 * large],
        [0, 1],
      ],
      new Set(),
    ),
    [2, 1, 1, 1],
  );
});
