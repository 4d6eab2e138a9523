// `POST /upload`: what systemd-journal-upload sends, a stream of entries without an end that is known. Each entry goes
// on as it comes, a chunk of its own under the name of its cursor, and only so much is read as is held; 200 at the end
// says that all of them are. Whatever breaks in between, the uploader begins again at its last cursor, and nothing is
// doubled. Between entries an upload may be silent for days, and holds nothing; an entry that was begun has a share of
// memory and a time to come whole (accept/body/endless-body.ts).

import type { FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '#shared/errors.ts';
import { EntriesOnTheirWay } from '../../accept/http/http-turns.ts';
import type { HttpContext, HttpDialect } from '../../accept/http/http-context.ts';
import type { HttpExchange } from '../../accept/http/http-exchange.ts';
import { errorAnswer } from '../../accept/http/http-errors.ts';
import { LARGE_BODY_BYTES } from '../../accept/turns/large-body-slots.ts';
import { refuseExcess } from '#shared/record/event-limit.ts';
import { mediaTypeOf } from '../../decode/http/body-formats.ts';
import { journalEntry } from './entry.ts';
import { type ExportResult, ExportScanner } from './export-format.ts';

const INPUT = 'journal';
const OWN_TAG = 'journal';
const MEDIA_TYPE = 'application/vnd.fdo.journal';

export const journal: HttpDialect = (scope, context) => {
  scope.setErrorHandler(
    context.onError(INPUT, (error, reply) => reply.type('text/plain').send(`${errorAnswer(error, reply).message}\n`)),
  );
  scope.post('/upload', (request, reply) => takeUpload(context, request, reply));
};

async function takeUpload(context: HttpContext, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  if (mediaTypeOf(request.headers['content-type']) !== MEDIA_TYPE) {
    throw new SluiceError('content_type_unknown', `Cannot read the body: its Content-Type is not ${MEDIA_TYPE}`);
  }
  using exchange = context.open(INPUT, request, reply);
  const tag = exchange.headerTag(OWN_TAG);
  const bytesMax = context.bodyBytesMax;
  const scanner = new ExportScanner({ entryBytesMax: bytesMax });
  // Entries and bytes of the whole upload: each entry is a chunk of its own, so no chunk has too many.
  let count = 0;
  let bytes = 0;
  for await (const piece of exchange.pieces(scanner)) {
    await exchange.turn(piece.length);
    scanner.push(piece);
    bytes += piece.length;
    const taken = await takeEntries(scanner, exchange, { tag, bytesMax });
    if (taken.refusal) throw taken.refusal;
    count += taken.count;
    refuseExcess({ count, bytes });
  }
  if (!scanner.isBetweenEntries) {
    throw new SluiceError('body_malformed', 'Cannot read the body: it ends inside an entry');
  }
  return reply.type('text/plain').send('OK.\n');
}

interface TakenEntries {
  readonly count: number;
  /** Why no more can follow; null where they can. */
  readonly refusal: SluiceError | null;
}

/** Resolves when all entries that are whole are held. */
async function takeEntries(
  scanner: ExportScanner,
  exchange: HttpExchange,
  { tag, bytesMax }: { tag: string; bytesMax: number },
): Promise<TakenEntries> {
  // Each is a chunk of its own: 64 KiB of the smallest are 13,000, which would keep everybody else waiting for half a
  // second.
  await using onTheirWay = new EntriesOnTheirWay(exchange);
  let refusal: SluiceError | null = null;
  let count = 0;
  while (!refusal) {
    const result = scanner.next();
    if (result.kind === 'need_more') break;
    if (result.kind !== 'entry') {
      refusal = refusalOf(result, bytesMax);
      break;
    }
    await onTheirWay.next();
    count += 1;
    const isLarge = result.bytes > LARGE_BODY_BYTES;
    if (isLarge) await onTheirWay.settled();
    using part = isLarge ? await exchange.part(result.bytes) : null;
    const entry = journalEntry(result.fields, bytesMax);
    part?.holdMade(entry?.entries.length ?? 0);
    if (entry) onTheirWay.add(exchange.accept({ tag, entries: entry.entries, count: 1 }, entry.name));
    else refusal = entryTooLarge(bytesMax);
    if (isLarge) await onTheirWay.settled();
  }
  await onTheirWay.settled();
  return { count, refusal };
}

function refusalOf(result: Exclude<ExportResult, { kind: 'entry' | 'need_more' }>, bytesMax: number): SluiceError {
  return result.kind === 'malformed'
    ? new SluiceError('body_malformed', `Cannot read the body: ${result.why}`)
    : entryTooLarge(bytesMax);
}

function entryTooLarge(bytesMax: number): SluiceError {
  return new SluiceError('entry_too_large', `Cannot take an entry of more than ${bytesMax} bytes`);
}
