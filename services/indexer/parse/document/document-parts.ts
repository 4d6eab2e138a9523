// What the writers of a document's parts have in common: where values come from, and where they go; and how documents
// are written.

import type { Entry } from '../entry.ts';
import type { JsonTranscoder } from '../json-value.ts';
import type { Line } from '../line/line.ts';
import type { NumberFields } from '../number-fields.ts';
import type { ObjectWriter } from './object-writer.ts';
import type { PartGate } from '../part-gate.ts';
import type { TraceGate } from './trace-gate.ts';

export interface DocumentParts {
  readonly values: JsonTranscoder;
  readonly object: ObjectWriter;
  readonly record: Entry;
  readonly line: Line;
}

export interface DocumentOptions {
  /** Tenants whose records may name their own tenant and service, by TENANT_ID and SERVICE_ID. */
  readonly trusted?: ReadonlySet<string>;
  /** Of an entry, and of its document. */
  readonly bytesMax?: number;
  /** Which lines are to be joined to stack traces; absent: none. */
  readonly traces?: TraceGate | undefined;
  /** Whose lines may end one that was begun; absent: nobody's. */
  readonly parts?: PartGate | undefined;
  /** Where all documents go, in place of where they belong. */
  readonly dataStream?: string | undefined;
  /** Whether the numbers among the attributes are listed, as Elasticsearch needs it to compare them. */
  readonly listsNumbers?: boolean | undefined;
  /** Of the numbers that are listed, those that are fields, too; absent: none. */
  readonly numberFields?: NumberFields | undefined;
  /** Whether lines are read for what they say. */
  readonly parse?: boolean | undefined;
  /** Whether `event.original` keeps a line of which the message is a part. */
  readonly keepsOriginal?: boolean | undefined;
}

export interface FieldOptions {
  /** Whether lines are read. */
  readonly parse: boolean;
  /** Whether `event.original` keeps a line of which the message is a part. */
  readonly keepsOriginal: boolean;
}
