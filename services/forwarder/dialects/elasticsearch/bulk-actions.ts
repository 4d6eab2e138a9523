// The action lines of a `_bulk` body: the operation, its index and its id.
//
//   {"create":{"_index":"logs-app","_id":"7"}}
//   {"index":{}}                                 the index is in the URL
//
// Guarantees: total; an index and an id are bounded.

import { type BulkAction, type BulkOperation, OPERATIONS } from './bulk-table.ts';

const INDEX_BYTES_MAX = 255;
/** Elasticsearch's own limit. */
const ID_BYTES_MAX = 512;

/** Keeps the last action, since most action lines are the same again and again. */
export class BulkActions {
  readonly #urlIndex: string | null;
  #line: Buffer = Buffer.alloc(0);
  #action: BulkAction | string = '';

  constructor(urlIndex: string | null) {
    this.#urlIndex = urlIndex;
  }

  /** What a line asks for, or what is wrong with it. */
  of(line: Buffer): BulkAction | string {
    if (line.equals(this.#line)) return this.#action;
    this.#line = line;
    this.#action = actionOf(line, this.#urlIndex);
    return this.#action;
  }
}

function actionOf(line: Buffer, urlIndex: string | null): BulkAction | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line.toString());
  } catch {
    return 'an action line has to be an object such as {"create":{}}';
  }
  const [pair, ...others] = typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : [];
  if (!pair || others.length > 0 || !isOperation(pair[0])) {
    return 'an action line has to be one of create, index, update, delete';
  }
  const [operation, metadata] = pair;
  if (typeof metadata !== 'object' || metadata === null) return `the value of ${operation} has to be an object`;
  const index: unknown = Reflect.get(metadata, '_index') ?? urlIndex;
  const id: unknown = Reflect.get(metadata, '_id') ?? null;
  if (typeof index !== 'string' || index === '') return 'its index is missing';
  if (Buffer.byteLength(index) > INDEX_BYTES_MAX || !index.isWellFormed()) return 'its index is no name of an index';
  if (id !== null && typeof id !== 'string' && typeof id !== 'number') return 'its _id has to be a string';
  const idText = id === null || id === '' ? null : String(id);
  if (idText !== null && Buffer.byteLength(idText) > ID_BYTES_MAX)
    return `its _id is longer than ${ID_BYTES_MAX} bytes`;
  return { operation, index, id: idText };
}

function isOperation(name: string): name is BulkOperation {
  return OPERATIONS.some((operation) => operation === name);
}
