// Every setting of Sluice, in one table: name, type with its limits, unit, default, and a sentence. A new one is a row
// in settings/<section>.ts; CONTRIBUTING.md, "Add a setting", has the steps. The table validates (load.ts), documents
// (docs/configuration.md is made from it) and masks (secrets).
//
// A setting `kafka.sasl.username` is the variable SLUICE_KAFKA_SASL_USERNAME and, in the YAML file, the key
// `username` below `sasl` below `kafka`. A setting marked `secret` has a `_FILE` variant too.

import type { Static } from 'typebox';
import { access } from './settings/access.ts';
import { admin } from './settings/admin.ts';
import { buffers } from './settings/buffers.ts';
import { connections } from './settings/connections.ts';
import { indexer } from './settings/indexer.ts';
import { inputs } from './settings/inputs.ts';
import { queue } from './settings/queue.ts';
import { read } from './settings/read.ts';
import { store } from './settings/store.ts';
import type { Setting, Syntax } from './settings/setting-kinds.ts';

export type { Setting, Syntax };

/** The sections, in the order of the reference. */
export const settings = {
  ...inputs,
  ...admin,
  ...read,
  ...access,
  ...connections,
  ...buffers,
  ...queue,
  ...store,
  ...indexer,
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

type Value<K extends SettingName> = (typeof settings)[K] extends { syntax: 'boolean' }
  ? boolean
  : (typeof settings)[K] extends Setting<infer S>
    ? Static<S>
    : never;

/** Effective configuration: a value for each setting; undefined only where the table gives no default. */
export type Config = {
  readonly [K in SettingName]: (typeof settings)[K] extends { default: unknown } ? Value<K> : Value<K> | undefined;
};

/** `kafka.sasl.username` → `SLUICE_KAFKA_SASL_USERNAME`. */
export function variableOf(name: string): string {
  return `SLUICE_${name.toUpperCase().replaceAll('.', '_')}`;
}
