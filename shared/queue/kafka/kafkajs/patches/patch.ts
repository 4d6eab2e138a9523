// How a part of kafkajs is replaced. Our patches depend on its internals, which any release may change without a word.
//
// Guarantee: a patch applies to the release it was written for, and to a function of the form it was written for, or
// the program does not start. It applies once: twice is a mistake of ours.

import assert from 'node:assert/strict';
import manifest from 'kafkajs/package.json' with { type: 'json' };

/** Whoever raises it reads each patch beside the new sources first: is it still needed, does it still fit? */
const VERSION_PATCHED = '2.2.4';

const replacements = new WeakSet();

/** A function of kafkajs that is to be replaced. */
export interface Target<O extends object, N extends keyof O & string> {
  /** For whoever has to look it up: the file below kafkajs/, and what is exported there. */
  readonly at: string;
  readonly owner: O;
  readonly name: N;
  /** How many it takes; those with a default do not count. */
  readonly parameters: number;
}

/** Throws for any other release than the one that our patches were written for. */
function checkVersion(): void {
  if (manifest.version !== VERSION_PATCHED) {
    throw cannotPatch(`its version is ${manifest.version}, our patches are for ${VERSION_PATCHED}`);
  }
}

/** Puts what `replace` makes of the original in its place. */
export function patch<O extends object, N extends keyof O & string>(
  { at, owner, name, parameters }: Target<O, N>,
  replace: (original: O[N]) => O[N] & WeakKey,
): void {
  checkFunction(at, owner, name, parameters);
  const original = owner[name];
  assert(!replacements.has(original as WeakKey), `${at}: ${name} is patched once`);
  const replacement = replace(original);
  replacements.add(replacement);
  owner[name] = replacement;
}

/** For what a patch calls beside the original. */
export function checkFunction(at: string, owner: object, name: string, parameters: number): void {
  checkVersion();
  const found: unknown = Reflect.get(owner, name);
  if (typeof found !== 'function') throw cannotPatch(`${at} has no function ${name}`);
  if (found.length === parameters) return;
  throw cannotPatch(`${name} of ${at} takes ${found.length} parameters, not ${parameters}`);
}

/** For a request whose fields ours read or write: a later version may have others. */
export function checkLastVersion(at: string, versions: readonly string[], expected: number): void {
  checkVersion();
  if (versions.at(-1) === String(expected)) return;
  throw cannotPatch(`${at} ends at version ${versions.at(-1)}, not ${expected}`);
}

function cannotPatch(difference: string): Error {
  const todo = `install kafkajs ${VERSION_PATCHED}, or fit shared/queue/kafka/kafkajs/patches/ to the new one`;
  return new Error(`Cannot patch kafkajs: ${difference}; ${todo}`);
}
