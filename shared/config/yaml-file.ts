// Reads a YAML file of settings beside the configuration (tenants, users): all mistakes are found in one go, a line
// each, with the place in the file, and never with a value, for some of them are secrets.

import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import { parseYaml } from './yaml-text.ts';

export type ReadFile = (path: string) => string;

/** Throws config_invalid. An empty file is as good as one with `empty`. */
export function readYamlFile<S extends TSchema>(
  path: string,
  schema: S,
  { readFile, empty }: { readFile: ReadFile; empty: unknown },
): Static<S> {
  let tree: unknown;
  try {
    tree = parseYaml(readFile(path)) ?? empty;
  } catch (error) {
    throw new SluiceError('config_invalid', `${path}: cannot be read: ${reasonOf(error)}`);
  }
  if (Value.Check(schema, tree)) return tree;
  // An unknown key is reported twice: where it is, and for the map that has it.
  const mistakes = [...Value.Errors(schema, tree)]
    .filter(({ keyword }) => keyword !== 'additionalProperties')
    .map(({ keyword, instancePath, message }) => {
      return `${placeOf(instancePath)}${keyword === 'boolean' ? 'there is no such key' : message}`;
    });
  throw new SluiceError('config_invalid', linesOf(path, mistakes));
}

/** One line for each mistake, with the file before it. */
export function linesOf(path: string, mistakes: readonly string[]): string {
  return mistakes.map((mistake) => `${path}: ${mistake}`).join('\n');
}

/** `/acme/networks/0` → `acme.networks.0: ` */
function placeOf(pointer: string): string {
  return pointer === '' ? '' : `${pointer.slice(1).replaceAll('/', '.')}: `;
}
