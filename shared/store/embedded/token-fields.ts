// What the embedded store looks at in a document (indexed-fields.ts), by the tokens of its shape: the same as of the
// whole document, at a fraction of the cost. Null where the tokens alone don't tell. Pure.

import { INSTANT_MAX, INSTANT_MIN, clampInstant, parseInstant } from '../instant.ts';
import type { TakenApart } from './blocks/shape-cache.ts';
import type { Shape } from './blocks/shapes.ts';
import type { IndexedFields } from './indexed-fields.ts';

const PATHS = {
  time: '@timestamp',
  sequence: 'event.sequence',
  ingested: 'event.ingested',
  created: 'event.created',
  containerId: 'container.id',
  containerName: 'container.name',
  service: 'service.name',
  pod: 'kubernetes.pod.name',
  tag: 'fluentd.tag',
  tenant: 'tenant.id',
} as const;
type Name = keyof typeof PATHS;

/** Place of each among the values; -1: it is not there. */
type Places = Readonly<Record<Name, number>>;

const INTEGER = /^(?:0|-?[1-9]\d{0,15})$/;
const KEYWORD_MAX = 1024;
const NS_PER_MS = 1_000_000n;

export class TokenFields {
  readonly #places = new WeakMap<Shape, Places>();
  /** Of the batch before it, most likely. */
  #ingested: { readonly token: string; readonly ms: number } = { token: '', ms: 0 };

  of({ shape, values }: TakenApart): IndexedFields | null {
    if (shape.paths[0] === null) return null;
    const places = this.#placesOf(shape);
    const timestamp = textAt(values, places.time);
    const time = timestamp === null || timestamp === '' ? null : parseInstant(timestamp);
    const sequence = integerOf(values[places.sequence] ?? '0');
    const names = namesAt(values, places);
    if (time === null || time < INSTANT_MIN || time > INSTANT_MAX || sequence === null || names === null) return null;
    const ingestedMs = this.#ingestedMs(values[places.ingested]);
    const created = createdAt(values, places, time);
    if (ingestedMs === null || created === undefined) return null;
    return { time, sequence, ingestedMs, created, ...names };
  }

  #ingestedMs(token: string | undefined): number | null {
    if (token === undefined) return null;
    if (token === this.#ingested.token) return this.#ingested.ms;
    const text = textOf(token);
    const ns = text === null ? null : parseInstant(text);
    if (ns === null) return null;
    this.#ingested = { token: Buffer.from(token).toString(), ms: Number(ns / NS_PER_MS) };
    return this.#ingested.ms;
  }

  #placesOf(shape: Shape): Places {
    let places = this.#places.get(shape);
    if (places === undefined) {
      const found = Object.entries(PATHS).map(([name, path]) => [name, shape.paths.indexOf(path)] as const);
      // PATHS has all of their names.
      places = Object.fromEntries(found) as unknown as Places;
      this.#places.set(shape, places);
    }
    return places;
  }
}

/** Undefined where the token does not tell. */
function createdAt(values: readonly string[], { time, created }: Places, ns: bigint): bigint | null | undefined {
  const token = values[created];
  if (token === undefined) return null;
  // Nearly always a line came when it was written.
  if (token === values[time]) return ns;
  const text = textOf(token);
  if (text === null) return undefined;
  const arrival = parseInstant(text);
  return arrival === null ? null : clampInstant(arrival);
}

function namesAt(values: readonly string[], places: Places) {
  const containerId = textAt(values, places.containerId);
  const containerName = textAt(values, places.containerName);
  const service = textAt(values, places.service);
  const pod = textAt(values, places.pod);
  const tag = textAt(values, places.tag);
  const tenant = textAt(values, places.tenant);
  if (containerId === null || containerName === null || service === null) return null;
  if (pod === null || tag === null || tenant === null) return null;
  return { containerId, containerName, service, pod, tag, tenant };
}

/** Empty where there is none; null where the token is no plain string of such a length. */
function textAt(values: readonly string[], place: number): string | null {
  const token = values[place];
  return token === undefined ? '' : textOf(token);
}

function integerOf(token: string): number | null {
  const integer = INTEGER.test(token) ? Number(token) : null;
  return integer !== null && Number.isSafeInteger(integer) ? integer : null;
}

function textOf(token: string): string | null {
  if (token.charCodeAt(0) !== 0x22 || token.length > KEYWORD_MAX || token.includes('\\')) return null;
  return token.slice(1, -1);
}
