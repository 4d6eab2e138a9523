// What the read API answers, as pieces of text: each is made when it is asked for, so that an answer takes no more
// memory than a page of documents, however slowly it is read. Runs beside the store (search-thread.ts), or in the
// process where the store is another machine's.
//
// Guarantees: of an answer in one JSON text, what is not in it is told: `next` goes on with documents, `warnings` say
// what was left out. Where an answer is of lines, a failure breaks it off.

import { stageFields } from '#shared/store/query/stages.ts';
import { fieldNamed } from '#shared/store/query/fields.ts';
import type { StoredDocument } from '#shared/store/store.ts';
import { fieldsOf } from '#shared/store/where.ts';
import { missingFields } from '../search/missing-fields.ts';
import { isStreamed, streamedTables, type TableReader, wholeTable } from '../search/result-tables.ts';
import type { Table } from '../search/rows.ts';
import { jsonText } from '../search/table.ts';
import { fieldsJson } from './wire/document-json.ts';
import { cursorText } from './wire/cursor.ts';
import { FieldSample } from './field-sample.ts';
import type { FieldsRequest, HistogramRequest, ReadRequest, SearchRequest } from './request.ts';
import { DAMAGED, storedAnswer } from './stored-answers.ts';
import { type ReadSource, tailEvents } from './tail-events.ts';

/** Of one JSON text: beyond it the rest is another answer. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;
/** Of a piece, about. */
const PIECE_CHARS = 64 * 1024;
const SAMPLE_BYTES_MAX = 16 * 1024 * 1024;
/** Fields that are looked for: each may take a search of all there is. */
const HINTS_MAX = 20;
const HINTS_MS = 5000;

/** Rejects with the store's errors, and with usage_wrong for a column that is not there. */
export function answer(
  source: ReadSource,
  request: ReadRequest,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  switch (request.kind) {
    case 'search':
      if (request.stages.length > 0) return inPieces(rowsAnswer(source, request, signal));
      return inPieces(
        request.format === 'ndjson' ? linesAnswer(source, request, signal) : documentsAnswer(source, request, signal),
      );
    case 'histogram':
      return inPieces(histogramAnswer(source, request, signal));
    case 'fields':
      return inPieces(fieldsAnswer(source, request, signal));
    case 'tail':
      return tailEvents(source, request, signal);
    case 'store':
    case 'documents':
    case 'counts':
    case 'rows':
      return inPieces(storedAnswer(source, request, signal));
  }
}

type Texts = AsyncGenerator<string, void, void>;

async function* inPieces(texts: Texts): Texts {
  let piece = '';
  for await (const text of texts) {
    piece += text;
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}

function pagesOf({ store }: ReadSource, { range, order, limit, after }: SearchRequest, signal: AbortSignal) {
  return store.pages({ ...range, order, limit, ...(after === undefined ? {} : { after }) }, signal);
}

async function* linesAnswer(source: ReadSource, request: SearchRequest, signal: AbortSignal): Texts {
  for await (const { documents } of pagesOf(source, request, signal))
    for (const document of documents) yield `${fieldsJson(document)}\n`;
}

async function* documentsAnswer(source: ReadSource, request: SearchRequest, signal: AbortSignal): Texts {
  let found = 0;
  let bytes = 0;
  let last: StoredDocument | undefined;
  for await (const page of pagesOf(source, request, signal)) {
    for (const document of page.documents) {
      yield `${found === 0 ? '{"documents":[\n' : ',\n'}${fieldsJson(document)}`;
      found += 1;
      last = document;
    }
    bytes += page.bytes;
    if (bytes > ANSWER_BYTES_MAX) break;
  }
  const isCut = found === request.limit || bytes > ANSWER_BYTES_MAX;
  const next = isCut && last !== undefined ? cursorText(last.sort) : null;
  if (found === 0) yield '{"documents":[';
  const warnings = isCut && next === null ? ['there is more, which another query has to find'] : [];
  yield `\n],"next":${JSON.stringify(next)},${await remarks(source, request, { isAll: !isCut, warnings }, signal)}}\n`;
}

async function* rowsAnswer(source: ReadSource, request: SearchRequest, signal: AbortSignal): Texts {
  const { range, order, stages, limit, format } = request;
  using share = source.memory.take();
  const memoryBytes = share.bytes;
  const wanted = { store: source.store, query: { ...range, order }, stages, limit, signal, memoryBytes };
  const reader = new Counting();
  let isFirst = true;
  let rows = 0;
  for await (const table of isStreamed(stages) ? streamedTables(wanted, reader) : once(wholeTable(wanted, reader))) {
    if (format === 'ndjson') yield* lines(table);
    else yield* rowsOf(table, isFirst);
    isFirst = false;
    rows += table.rows.length;
  }
  if (format === 'ndjson') return;
  if (isFirst) yield '{"columns":[],"rows":[';
  const isAll = reader.documents < limit || stages[0]?.kind === 'stats';
  if (rows >= limit) reader.warn(`there may be more than ${limit} rows: give another limit`);
  yield `\n],${await remarks(source, request, { isAll, warnings: reader.warnings }, signal)}}\n`;
}

async function* histogramAnswer(source: ReadSource, request: HistogramRequest, signal: AbortSignal): Texts {
  const { range, by, everyMs } = request;
  const count = { name: 'count', field: null, column: 'count' };
  const stage = { kind: 'stats', measures: [count], by: { fields: by.map(fieldNamed), everyMs } } as const;
  const reader = new Counting();
  using share = source.memory.take();
  const query = { ...range, order: 'newest' } as const;
  const wanted = { store: source.store, query, limit: Infinity, signal, memoryBytes: share.bytes };
  const table = await wholeTable({ ...wanted, stages: [stage] }, reader);
  yield `{"every_ms":${everyMs},"from":${JSON.stringify(range.since)},`;
  yield* rowsOf(table, true, '');
  const asked = { range, stages: [stage] };
  yield `\n],${await remarks(source, asked, { isAll: true, warnings: reader.warnings }, signal)}}\n`;
}

async function* fieldsAnswer(source: ReadSource, { range, sample }: FieldsRequest, signal: AbortSignal): Texts {
  const fields = new FieldSample();
  let left = SAMPLE_BYTES_MAX;
  for await (const page of source.store.pages({ ...range, order: 'newest', limit: sample }, signal)) {
    for (const document of page.documents) fields.add(document.source);
    left -= page.bytes;
    if (left <= 0) break;
  }
  yield `{"sampled":${fields.documents},"fields":[`;
  let isFirst = true;
  for (const field of fields.fields()) {
    yield `${isFirst ? '\n' : ',\n'}${JSON.stringify(field)}`;
    isFirst = false;
  }
  const warnings = fields.isCut ? ['there are too many fields: some are left out'] : [];
  const asked = { range, stages: [] };
  yield `\n],${await remarks(source, asked, { isAll: fields.documents < sample, warnings }, signal)}}\n`;
}

function* lines({ columns, rows }: Table): Generator<string, void, void> {
  for (const row of rows) yield jsonText(columns, [row]);
}

function* rowsOf({ columns, rows }: Table, isFirst: boolean, before = '{'): Generator<string, void, void> {
  if (isFirst) yield `${before}"columns":${JSON.stringify(columns)},"rows":[`;
  for (const [i, row] of rows.entries())
    yield `${isFirst && i === 0 ? '\n' : ',\n'}${jsonText(columns, [row]).trimEnd()}`;
}

async function* once<T>(value: Promise<T>): AsyncGenerator<T, void, void> {
  yield await value;
}

class Counting implements TableReader {
  readonly isGone = false;
  readonly warnings: string[] = [];
  documents = 0;

  read(documents: number): void {
    this.documents += documents;
  }

  warn(line: string): void {
    this.warnings.push(line);
  }
}

/** What people should know beside what was found: of fields that nothing has only where all was looked at. */
async function remarks(
  source: ReadSource,
  { range, stages, after }: Pick<SearchRequest, 'range' | 'stages' | 'after'>,
  { isAll, warnings }: { readonly isAll: boolean; readonly warnings: readonly string[] },
  signal: AbortSignal,
): Promise<string> {
  const { where, ...bounds } = range;
  const named = [...fieldsOf(where), ...stageFields(stages)];
  const hints = isAll && after === undefined ? await hintsOf(source, named.slice(0, HINTS_MAX), bounds, signal) : [];
  const told = source.isDamaged() ? [...warnings, DAMAGED] : warnings;
  return `"hints":${JSON.stringify(hints)},"warnings":${JSON.stringify(told)}`;
}

/** None where they take long: an answer that is there already must not fail for them. */
async function hintsOf(
  { store, clock }: ReadSource,
  named: Parameters<typeof missingFields>[1],
  bounds: Parameters<typeof missingFields>[2],
  signal: AbortSignal,
): Promise<string[]> {
  const late = new AbortController();
  using _timer = clock.timer(HINTS_MS, () => late.abort());
  try {
    return await missingFields(store, named, bounds, AbortSignal.any([signal, late.signal]));
  } catch (error) {
    if (signal.aborted || !late.signal.aborted) throw error;
    return [];
  }
}
