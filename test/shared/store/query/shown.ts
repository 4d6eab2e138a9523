// A query's tree in one line, for tables of tests.

import type { NumberBound, Where } from '#shared/store/where.ts';
import { addressText } from '#shared/store/query/address.ts';
import { formatInstant } from '#shared/store/instant.ts';

export function shown(where: Where): string {
  switch (where.kind) {
    case 'all':
      return '*';
    case 'and':
    case 'or':
      return `(${where.nodes.map(shown).join(where.kind === 'and' ? ' & ' : ' | ')})`;
    case 'not':
      return `!${shown(where.node)}`;
    case 'words':
      return wordsShown(where.term);
    case 'text':
      return `${where.field.path}~${wordsShown(where.term)}`;
    case 'exists':
      return `${where.field.path}?`;
    case 'equals':
      return `${where.field.path}=${where.value}`;
    case 'pattern':
      return `${where.field.path}=${where.pieces.join('…')}`;
    case 'addresses':
      return `${where.field.path}=${addressText(where.first)}-${addressText(where.last)}`;
    case 'numbers':
      return where.field.path + boundShown('>', where.from) + boundShown('<', where.to);
    case 'times':
      return where.field.path + timeShown('>=', where.since) + timeShown('<', where.until);
  }
}

const wordsShown = ({ words, prefix }: { words: readonly string[]; prefix: boolean }): string =>
  words.join('+') + (prefix ? '…' : '');

const boundShown = (sign: string, bound: NumberBound | undefined): string =>
  bound === undefined ? '' : `${sign}${bound.inclusive ? '=' : ''}${bound.text}`;

const timeShown = (sign: string, ns: bigint | undefined): string =>
  ns === undefined ? '' : `${sign}${formatInstant(ns).replace('.000000000', '').replace('T00:00:00Z', '')}`;
