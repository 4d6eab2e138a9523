// A pod as JSON, as it is kept over a restart, and back. Pure, and total: what has another form is no pod.

import type { KnownPod } from './pod-object.ts';

type Texts = Readonly<Record<string, string>>;

export function textOfPod({ containers, ...pod }: KnownPod): string {
  const kept = [...containers].map(([name, { image, ids }]) => ({ name, image, ids: [...ids] }));
  return JSON.stringify({ ...pod, containers: kept });
}

/** Of what JSON says. */
export function podOfText(kept: unknown): KnownPod | null {
  if (!isMap(kept)) return null;
  const { namespace, name, uid, fields, labels, annotations, containers } = kept;
  if (!isText(namespace) || !isText(name) || !isText(uid) || !Array.isArray(containers)) return null;
  if (!isTexts(fields) || !isTexts(labels) || !isTexts(annotations)) return null;
  const all = new Map<string, { image: string; ids: Map<number, string> }>();
  for (const one of containers as unknown[]) {
    if (!isMap(one)) return null;
    const { name: container, image, ids } = one;
    if (!isText(container) || !isText(image) || !Array.isArray(ids) || !ids.every(isId)) return null;
    all.set(container, { image, ids: new Map(ids) });
  }
  return { namespace, name, uid, fields, labels, annotations, containers: all };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTexts(value: unknown): value is Texts {
  return isMap(value) && Object.values(value).every(isText);
}

function isId(value: unknown): value is [number, string] {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'number' && isText(value[1]);
}
