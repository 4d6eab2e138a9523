// Documents as what a block takes, and how many there are of each origin. Pure.

import type { ReadBatch } from './batch-reader.ts';
import type { BlockReader } from './blocks/decode-block.ts';
import { type BatchKey, type DocumentName, idAt, idOf, namesIn, type NameRun } from './blocks/document-ids.ts';
import { type Chosen, lengthOf } from './blocks/encode-batch.ts';
import { timeGroups, type Times } from './blocks/time-groups.ts';
import { withNamesAsAttributes } from './names-as-attributes.ts';
import type { BlockDocument } from './blocks/encode-block.ts';
import { BLOCK_BYTES, BLOCK_DOCUMENTS } from './tables/block-merge.ts';

/** Nearer to each other than what has blocks of its own (time-groups.ts). */
const GAP_SECONDS = 3600;
const NOBODY: DocumentName = { key: '', index: 0 };

/** The name of an item of a request: `ids`, or where they are null, what stands before it (written-ids.ts). */
export const idOfItem = (
  { ids, bounds }: { readonly ids: readonly string[] | null; readonly bounds: Uint32Array },
  body: Buffer,
  item: number,
): string => ids?.[item] ?? idAt(body, bounds[2 * item] ?? 0);

/** Documents of each origin that are gone with the block. */
export function countsOf({ known }: BlockReader): Map<number, number> {
  const counts = new Map<number, number>();
  for (const origin of known.origin) counts.set(origin, (counts.get(origin) ?? 0) - 1);
  return counts;
}

/** Whether all have the text that they have in the body. */
export const isAsWritten = ({ texts }: ReadBatch, nameless: ReadonlySet<number>): boolean =>
  texts.size === 0 && nameless.size === 0;

/** What becomes a block each: near in time, and as many documents and bytes as one takes. */
export function* blocksOf(chosen: Chosen, groupsMax: number): Generator<Chosen, void, void> {
  const { batch, documents } = chosen;
  if (isNarrow(chosen)) {
    yield* evenPieces(chosen);
    return;
  }
  const timesOf = (i: number): Times => {
    const time = batch.timeOf(documents[i] ?? 0);
    return { min: time, max: time };
  };
  for (const group of timeGroups(Array.from(documents.keys()), timesOf, groupsMax))
    yield* evenPieces(picked(chosen, group));
}

/** Makes no BigInt for each. */
function isNarrow({ batch, documents }: Chosen): boolean {
  let [least, greatest] = [Infinity, -Infinity];
  for (const document of documents) {
    least = Math.min(least, batch.seconds[document] ?? 0);
    greatest = Math.max(greatest, batch.seconds[document] ?? 0);
  }
  return greatest - least < GAP_SECONDS;
}

/** Of about as many documents each: small blocks would have to be merged. */
function* evenPieces(chosen: Chosen): Generator<Chosen, void, void> {
  const { documents } = chosen;
  const { bounds } = chosen.batch;
  const pieces = Math.max(Math.ceil(documents.length / BLOCK_DOCUMENTS), Math.ceil(lengthOf(chosen) / BLOCK_BYTES));
  const documentsMax = Math.ceil(documents.length / pieces);
  let start = 0;
  let length = 0;
  for (let at = 0; at < documents.length; at++) {
    const document = documents[at] ?? 0;
    const own = (bounds[2 * document + 1] ?? 0) - (bounds[2 * document] ?? 0);
    if (at > start && (at - start >= documentsMax || length + own > BLOCK_BYTES)) {
      yield between(chosen, start, at);
      start = at;
      length = 0;
    }
    length += own;
  }
  if (start < documents.length) yield between(chosen, start, documents.length);
}

function between(chosen: Chosen, start: number, end: number): Chosen {
  const { batch, documents, rows, origins, runs } = chosen;
  if (start === 0 && end === documents.length) return chosen;
  const own: NameRun[] = [];
  let at = 0;
  for (const { key, first, last } of runs) {
    const from = Math.max(first, first + start - at);
    const to = Math.min(last, first + end - 1 - at);
    if (from <= to) own.push({ key, first: from, last: to });
    at += last - first + 1;
  }
  return {
    batch,
    documents: documents.subarray(start, end),
    rows: rows.subarray(start, end),
    origins: origins.subarray(start, end),
    runs: own,
  };
}

/** Those at these places, which ascend. */
function picked({ batch, documents, rows, origins, runs }: Chosen, places: readonly number[]): Chosen {
  const own: { key: BatchKey; first: number; last: number }[] = [];
  let number = 0;
  let runStart = 0;
  for (const place of places) {
    let run = runs[number];
    while (run !== undefined && place > runStart + run.last - run.first) {
      runStart += run.last - run.first + 1;
      run = runs[++number];
    }
    if (run === undefined) throw new Error('a document has no name');
    const index = run.first + place - runStart;
    const before = own.at(-1);
    if (before !== undefined && before.key === run.key && before.last + 1 === index) before.last = index;
    else own.push({ key: run.key, first: index, last: index });
  }
  return {
    batch,
    documents: Int32Array.from(places, (place) => documents[place] ?? 0),
    rows: Float64Array.from(places, (place) => rows[place] ?? 0),
    origins: Float64Array.from(places, (place) => origins[place] ?? 0),
    runs: own,
  };
}

/** One by one. `nameless`: items that have their names among their attributes. */
export function documentsOf(
  { batch, documents, rows, origins, runs }: Chosen,
  { texts }: ReadBatch,
  nameless: ReadonlySet<number>,
): BlockDocument[] {
  const names = namesIn(runs);
  return Array.from(documents, (item, i) => {
    const text = texts.get(item) ?? batch.textOf(item);
    return {
      id: idOf(names.next().value ?? NOBODY),
      row: rows[i] ?? 0,
      origin: origins[i] ?? 0,
      text: nameless.has(item) ? withNamesAsAttributes(text) : text,
      ...batch.knownOf(item),
    };
  });
}

/** Of as many documents, and bytes, as a block takes. */
export function* piecesOf(documents: readonly BlockDocument[]): Generator<BlockDocument[], void, void> {
  let piece: BlockDocument[] = [];
  let bytes = 0;
  for (const document of documents) {
    if (piece.length > 0 && (piece.length >= BLOCK_DOCUMENTS || bytes + document.text.length > BLOCK_BYTES)) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(document);
    bytes += document.text.length;
  }
  if (piece.length > 0) yield piece;
}

export function changes(documents: readonly BlockDocument[], each: 1 | -1): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { origin } of documents) counts.set(origin, (counts.get(origin) ?? 0) + each);
  return counts;
}
