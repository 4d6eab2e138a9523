// The forms of what the read API answers, looked at before it is used: whoever answers may be anybody, of any version.
// Pure.

import type { StoredDocument, StoredPage } from '#shared/store/store.ts';

/** Whether a value has a form. */
export type IsForm<T> = (value: unknown) => value is T;

export interface PageEnd {
  readonly is_last: boolean;
  readonly warnings: readonly string[];
}

export interface Counts {
  readonly counts: readonly (readonly [number, number])[] | null;
  readonly warnings: readonly string[];
}

export interface Rows {
  readonly columns: string[];
  readonly rows: unknown[][];
  readonly read: number;
  readonly told: string[];
  readonly warnings: readonly string[];
}

export const isDocument: IsForm<StoredDocument> = (value): value is StoredDocument =>
  isObject(value) &&
  isText(value['id']) &&
  isText(value['index']) &&
  isObject(value['source']) &&
  Array.isArray(value['sort']);

export const isPage: IsForm<StoredPage> = (value): value is StoredPage =>
  isObject(value) && isListOf(value['documents'], isDocument) && isNumber(value['bytes']);

export const isPageEnd: IsForm<PageEnd> = (value): value is PageEnd =>
  isObject(value) && typeof value['is_last'] === 'boolean' && isListOf(value['warnings'], isText);

export const isCounts: IsForm<Counts> = (value): value is Counts =>
  isObject(value) &&
  (value['counts'] === null || isListOf(value['counts'], isCount)) &&
  isListOf(value['warnings'], isText);

export const isRows: IsForm<Rows> = (value): value is Rows =>
  isObject(value) &&
  isListOf(value['columns'], isText) &&
  isListOf(value['rows'], Array.isArray) &&
  isNumber(value['read']) &&
  isListOf(value['told'], isText) &&
  isListOf(value['warnings'], isText);

function isCount(value: unknown): boolean {
  return isListOf(value, isNumber) && value.length === 2;
}

function isListOf(value: unknown, isPart: (part: unknown) => boolean): value is unknown[] {
  return Array.isArray(value) && value.every(isPart);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number';
}
