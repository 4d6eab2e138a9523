// The body of a `_bulk` request, which grows item by item, and where each item lies in it:
//
//   {"create":{"_index":"logs-sluice-default","_id":"<27 letters of base64url>"}}\n    actionStart
//   {"@timestamp": …}                                                                  docStart … docEnd
//   \n
//
// The first twenty letters of a name are 15 bytes of the batch's identity, written once for all of its entries.
//
// Guarantees: an item is whole or absent (`rollback`). The names in an action line are ours, of letters that need no
// escape, and JSON strings have no line breaks; so nobody's text can forge a line.

import assert from 'node:assert/strict';
import { IDENTITY_BYTES, POSITION_NAME_BYTES } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';
import type { BulkRequest } from '#shared/store/store.ts';
import { JsonBuffer, fragment } from '../json/json-buffer.ts';
import { BodyItems } from '../json/body-items.ts';

const NEWLINE = 0x0a;
const ACTION_END = fragment('"}}\n');
/** Buffers kept for reuse: more of them do not come back before the next is asked for. */
const SPARE_MAX = 4;
/** A larger one is not kept, so that one huge line, or a large setting, does not take memory for ever. */
const SPARE_BYTES_MAX = 16 * 1024 * 1024;
/** As `bulk.max_bytes` has it by default. */
const SENT_AT_BYTES = 4 * 1024 * 1024;
/** The last document of a request begins below its size, and may go beyond it by as much before its buffer doubles. */
const LAST_DOCUMENT_BYTES = 256 * 1024;

export class BulkBody {
  /** The document of the item in work is written here. */
  readonly json = new JsonBuffer();
  #items = new BodyItems();
  #spare: Buffer<ArrayBuffer>[] = [];
  readonly #spareItems: BodyItems[] = [];
  /** Bytes of the items that are whole. */
  #length = 0;
  #docStart = -1;
  #dataStream = '';
  #batch: Batch | null = null;
  #entry = 0;
  /** An action line up to where entries differ, the same for all entries of a batch. */
  #prefix = new JsonBuffer(Buffer.allocUnsafe(256));
  #dataStreamEnd = 0;

  /** @param sentAt bytes at which a request is sent */
  constructor(sentAt = SENT_AT_BYTES) {
    this.json.expectedMax = sentAt + LAST_DOCUMENT_BYTES;
  }

  /** Bytes of the items that are whole. */
  get length(): number {
    return this.#length;
  }

  /** Items that are whole. */
  get count(): number {
    return this.#items.length;
  }

  /**
   * Writes the action line of a document, which is to follow in `json`.
   * @param dataStream its name: the _index of the action
   * @param batch must not change as long as the item lives; has its names where it is by position
   * @param entry index of the entry in its batch, the batch's `first` included
   */
  start(dataStream: string, batch: Batch, entry: number): void {
    assert(this.#docStart < 0, 'an item ends before the next starts');
    if (dataStream !== this.#dataStream || batch !== this.#batch) this.#setPrefix(dataStream, batch);
    const { json } = this;
    json.raw(this.#prefix);
    if (batch.version === 1) json.integer(entry);
    else if (batch.chain === null) json.base64urlTail(batch.id[IDENTITY_BYTES - 1] ?? 0, entry);
    else writePositionName(json, batch, entry);
    json.raw(ACTION_END);
    this.#entry = entry;
    this.#docStart = json.at;
  }

  /** The document is whole. */
  end(): void {
    assert(this.#docStart >= 0 && this.#batch !== null, 'an item starts before it ends');
    const { json } = this;
    const place = { entry: this.#entry, actionStart: this.#length, docStart: this.#docStart, docEnd: json.at };
    this.#items.add(this.#dataStream, this.#batch, place);
    json.byte(NEWLINE);
    this.#length = json.at;
    this.#docStart = -1;
  }

  /** Forgets the item in work, if any. */
  rollback(): void {
    this.json.at = this.#length;
    this.#docStart = -1;
  }

  /**
   * Hands over the whole items, uncopied, and starts anew. Give the request to `release` when nobody reads it any more.
   */
  request(): BulkRequest {
    assert(this.#docStart < 0, 'an item ends before the request is made');
    const request = { body: this.json.bytes.subarray(0, this.#length), items: this.#items };
    this.#items = this.#spareItems.pop() ?? new BodyItems();
    this.#length = 0;
    this.json.restart(this.#spare.pop());
    return request;
  }

  /** Takes the memory of a request back for reuse. Nobody may read its bytes or items from here on. */
  release({ body: { buffer }, items }: BulkRequest): void {
    if (items instanceof BodyItems) {
      items.clear();
      if (this.#spareItems.length < SPARE_MAX) this.#spareItems.push(items);
    }
    const bytesMax = Math.min(this.json.expectedMax, SPARE_BYTES_MAX);
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength > bytesMax) return;
    if (this.#spare.length < SPARE_MAX) this.#spare.push(Buffer.from(buffer));
  }

  #setPrefix(dataStream: string, batch: Batch): void {
    const prefix = this.#prefix;
    if (dataStream !== this.#dataStream) {
      assert(/^[a-z0-9_.-]+$/.test(dataStream), 'the name of a data stream needs no escape');
      prefix.at = 0;
      prefix.ascii(`{"create":{"_index":"${dataStream}","_id":"`);
      this.#dataStreamEnd = prefix.at;
    }
    prefix.at = this.#dataStreamEnd;
    if (batch.version === 1) {
      prefix.hex(batch.id, 0, batch.id.length);
      prefix.byte(0x2d);
    } else if (batch.chain === null) {
      prefix.base64url(batch.id, 0, IDENTITY_BYTES - 1);
    }
    this.#dataStream = dataStream;
    this.#batch = batch;
  }
}

function writePositionName(json: JsonBuffer, { names, first }: Batch, entry: number): void {
  assert(names, 'a batch by position has its names');
  const at = (entry - first) * POSITION_NAME_BYTES;
  json.base64url(names.bytes, at, at + POSITION_NAME_BYTES);
}
