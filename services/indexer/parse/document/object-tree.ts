// Dotted paths of fields as objects in each other, in the order in which they are given, with the pieces of JSON that
// they begin with. Pure.

import { type JsonBuffer, fragment } from '../../json/json-buffer.ts';

/** A field, or an object of fields. */
export interface Member {
  readonly key: JsonBuffer;
  /** Place of the field among the paths; -1 for an object. */
  readonly field: number;
  /** Of an object. */
  readonly members: readonly Member[];
  /** That of the field, or of all that are in the object (`bitOf`). */
  readonly bits: number;
  /** The same of the fields from the 32nd on (`highBitOf`). */
  readonly highBits: number;
}

/** Of one of the first 32 fields, to tell quickly that nothing of an object is there; 0 for the others. */
export function bitOf(field: number): number {
  return field < 32 ? 1 << field : 0;
}

/** Of the fields behind those; more than 64 fields share bits. */
export function highBitOf(field: number): number {
  return field < 32 ? 0 : 1 << (field & 31);
}

/** By the name of an object of the document: what may be in it. */
export function objectTree(paths: readonly string[]): ReadonlyMap<string, Member> {
  return new Map([...new Set(paths.map(firstName))].map((name) => [name, objectAt(paths, name, name)]));
}

function objectAt(paths: readonly string[], path: string, name: string): Member {
  const inside = paths.filter((field) => field.startsWith(`${path}.`));
  const names = [...new Set(inside.map((field) => firstName(field.slice(path.length + 1))))];
  const members = names.map((member): Member => {
    const field = paths.indexOf(`${path}.${member}`);
    if (field < 0) return objectAt(paths, `${path}.${member}`, member);
    return { key: fragment(`"${member}":`), field, members: [], bits: bitOf(field), highBits: highBitOf(field) };
  });
  const bits = members.reduce((all, member) => all | member.bits, 0);
  const highBits = members.reduce((all, member) => all | member.highBits, 0);
  return { key: fragment(`"${name}":{`), field: -1, members, bits, highBits };
}

function firstName(path: string): string {
  return path.split('.')[0] ?? '';
}
