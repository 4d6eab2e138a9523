// Whether a block may hold anything that a query means, by its filter of words alone (word-filter.ts) and the times
// between which its documents are. "No" is certain. Pure.

import { clampInstant } from '../../instant.ts';
import type { FieldWhere, Where } from '../../where.ts';
import { wordsOf } from '../../words.ts';
import { hashOfWord, mayHold } from './word-filter.ts';

interface BlockTimes {
  readonly least: bigint;
  readonly greatest: bigint;
}

/** `filter`: null where the block has none. */
export type BlockTest = (filter: Uint8Array | null, times: BlockTimes) => boolean;

const ALWAYS: BlockTest = () => true;
// oxlint-disable-next-line no-control-regex
const PLAIN_TEXT = /^[\u0000-\u007f]*$/;

/** The words are made into hashes once, for all blocks. */
export function blockTest(where: Where): BlockTest {
  if ('field' in where) return fieldTest(where);
  switch (where.kind) {
    case 'all':
    case 'not':
      return ALWAYS;
    case 'words':
      return wordsTest(where.term.prefix ? where.term.words.slice(0, -1) : where.term.words);
    case 'and':
    case 'or': {
      const tests = where.nodes.map(blockTest);
      return where.kind === 'and'
        ? (filter, times) => tests.every((test) => test(filter, times))
        : (filter, times) => tests.some((test) => test(filter, times));
    }
  }
}

function fieldTest(where: FieldWhere): BlockTest {
  switch (where.kind) {
    case 'text':
      return wordsTest(where.term.prefix ? where.term.words.slice(0, -1) : where.term.words);
    case 'equals':
      // Who writes the same number in another way has other words.
      return where.number === null || where.field.kind === 'keyword' ? wordsTest(wordsOf(where.value)) : ALWAYS;
    case 'pattern': {
      // Behind its first piece anything may come, and change its last word; beyond ASCII, the one before too.
      const [first = ''] = where.pieces;
      return PLAIN_TEXT.test(first) ? wordsTest(wordsOf(first).slice(0, -1)) : ALWAYS;
    }
    case 'times': {
      if (where.field.path !== '@timestamp') return ALWAYS;
      const since = where.since === undefined ? null : clampInstant(where.since);
      const until = where.until === undefined ? null : clampInstant(where.until);
      return (_, { least, greatest }) => (since === null || greatest >= since) && (until === null || least < until);
    }
    case 'exists':
    case 'addresses':
    case 'numbers':
      return ALWAYS;
  }
}

function wordsTest(words: readonly string[]): BlockTest {
  const hashes = words.map(hashOfWord);
  return (filter) => filter === null || hashes.every((hash) => mayHold(filter, hash));
}
