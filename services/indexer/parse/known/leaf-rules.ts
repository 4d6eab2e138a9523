// What the values of a line decide: which level it has, and which fields can hold them. Lines of one shape become the
// same document, but for their values, if these decisions are the same. Kinds of values are a part of the shape. Pure.

import { type EcsType, ecsFields } from '#shared/store/ecs-fields.ts';
import { isAddress } from '../address.ts';
import type { FieldTable } from '../fields.ts';
import { colonOfCaller } from '../line/line.ts';
import { isWholeNumber } from '../line/scan.ts';
import { CALLER_NAME, INSTANT_SECONDS, fieldOfName, levelNames, lineTimeNames } from '../names.ts';
import { type Leaves, NUMBER, TEXT } from './leaves.ts';

const POINT = 0x2e;
const NO_LEAF = -1;

type Test = (bytes: Uint8Array, start: number, end: number) => boolean;

interface Rule {
  readonly leaf: number;
  readonly test: Test;
  readonly outcome: boolean;
}

export class LeafRules {
  /** The value that is the line's time, the only one that may be; -1: none may be. */
  timeLeaf = NO_LEAF;
  /** `main.go:12`, which becomes two fields; -1 for none. */
  callerLeaf = NO_LEAF;
  /** Of leaves that are always the same. */
  readonly same = new Set<number>();
  /** Whether all that is decided has a rule. */
  readonly areWhole: boolean;
  readonly #rules: Rule[] = [];

  /**
   * @param table of the line's names, from which no field has taken any
   * @param leafAt leaves by their positions in that
   */
  constructor(
    bytes: Uint8Array,
    leaves: Leaves,
    kinds: Uint8Array,
    table: FieldTable,
    leafAt: ReadonlyMap<number, number>,
  ) {
    let times = 0;
    for (const [name, at] of table.values.entries()) {
      const leaf = leafAt.get(at);
      if (at === 0 || leaf === undefined) continue;
      const start = leaves.starts[leaf]!;
      const end = leaves.ends[leaf]!;
      if (lineTimeNames.includes(name)) {
        this.timeLeaf = leaf;
        times += 1;
      }
      if (levelNames.includes(name)) this.same.add(leaf);
      const test = levelNames.includes(name)
        ? sameAs(new Uint8Array(bytes.subarray(start, end)))
        : testOf(name, kinds[leaf]!);
      if (test === null) continue;
      const outcome = test(bytes, start, end);
      this.#rules.push({ leaf, test, outcome });
      if (test === isCaller && outcome) this.callerLeaf = leaf;
    }
    this.areWhole = times <= 1 && table.values[INSTANT_SECONDS] === 0;
  }

  /** Whether the leaves of a line decide the same. */
  hold(bytes: Uint8Array, leaves: Leaves): boolean {
    for (const { leaf, test, outcome } of this.#rules)
      if (test(bytes, leaves.starts[leaf]!, leaves.ends[leaf]!) !== outcome) return false;
    return true;
  }
}

function testOf(name: number, kind: number): Test | null {
  if (name === CALLER_NAME) return kind === TEXT ? isCaller : null;
  const type: EcsType | undefined = ecsFields[fieldOfName[name]!]?.[1];
  if (type === 'ip') return kind === TEXT ? isAddress : null;
  if (type !== 'long') return null;
  if (kind === TEXT) return isWholeNumber;
  return kind === NUMBER ? hasNoPoint : null;
}

function sameAs(own: Uint8Array): Test {
  return (bytes, start, end) => {
    if (end - start !== own.length) return false;
    for (let i = 0; i < own.length; i += 1) if (bytes[start + i] !== own[i]) return false;
    return true;
  };
}

function isCaller(bytes: Uint8Array, start: number, end: number): boolean {
  return colonOfCaller(bytes, start, end) >= 0;
}

function hasNoPoint(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] === POINT) return false;
  return true;
}
