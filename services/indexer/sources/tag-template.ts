// The tag of an event by a rule: a text with names in braces, `app.{topic}.{service.name}`. {topic} and {partition} are
// those of the message, all others fields of the record. Pure.
//
// Guarantees: a tag is valid UTF-8, of one byte to 512; a field that is missing, or neither text nor whole number, is
// `unknown`.

import { TAG_FIELD } from '#shared/config/settings/sources.ts';
import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { isText, textEnd, textStart } from '../parse/fields.ts';
import { fieldAt } from './record-field.ts';

const UNKNOWN = 'unknown';
const FIELD_BYTES_MAX = 256;
const TAG_BYTES_MAX = 512;

interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** A text as it is, or the name of a field. */
type Part = { readonly text: string } | { readonly field: Buffer };

export class TagTemplate {
  readonly #parts: readonly Part[];
  /** Of messages whose tag goes by no field. */
  readonly #fixed: string | null;

  constructor(template: string, { topic, partition }: Place) {
    const parts: Part[] = [];
    let at = 0;
    for (const match of template.matchAll(TAG_FIELD)) {
      const name = match[1] ?? '';
      parts.push({ text: template.slice(at, match.index) });
      if (name === 'topic') parts.push({ text: topic });
      else if (name === 'partition') parts.push({ text: String(partition) });
      else parts.push({ field: Buffer.from(name) });
      at = match.index + match[0].length;
    }
    parts.push({ text: template.slice(at) });
    this.#parts = parts;
    const hasField = parts.some((part) => 'field' in part);
    this.#fixed = hasField ? null : cut(parts.map((part) => ('text' in part ? part.text : '')).join(''));
  }

  /** Of the record whose map lies at `at`; null: of a message without fields. */
  tagOf(record: { readonly bytes: Uint8Array; readonly at: number; readonly end: number } | null): string {
    if (this.#fixed !== null) return this.#fixed;
    const texts = this.#parts.map((part) => {
      if ('text' in part) return part.text;
      return record === null
        ? UNKNOWN
        : fieldText(record.bytes, fieldAt(record.bytes, record.at, record.end, part.field));
    });
    return cut(texts.join(''));
  }
}

function fieldText(bytes: Uint8Array, at: number): string {
  if (at === 0) return UNKNOWN;
  if (isText(bytes[at] ?? 0)) {
    const start = textStart(bytes, at);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, textEnd(bytes, at) - start);
    return text.toString('utf8', 0, Math.min(text.length, FIELD_BYTES_MAX)) || UNKNOWN;
  }
  const integer = new MsgpackReader(bytes, at).integer();
  return integer === undefined ? UNKNOWN : String(integer);
}

/** Whole characters that fit. */
function cut(tag: string): string {
  if (tag.length * 3 <= TAG_BYTES_MAX) return tag;
  const bytes = Buffer.from(tag);
  if (bytes.length <= TAG_BYTES_MAX) return tag;
  let end = TAG_BYTES_MAX;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
