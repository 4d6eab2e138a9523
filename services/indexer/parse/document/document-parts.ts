// What the writers of a document's parts have in common: where values come from, and where they go.

import type { Entry } from '../entry.ts';
import type { JsonTranscoder } from '../json-value.ts';
import type { Line } from '../line/line.ts';
import type { ObjectWriter } from './object-writer.ts';

export interface DocumentParts {
  readonly values: JsonTranscoder;
  readonly object: ObjectWriter;
  readonly record: Entry;
  readonly line: Line;
}
