// What clients of Elasticsearch ask before they send: who is there, its license, and whether their templates and
// policies exist.
//
// Sluice has templates and a lifecycle of its own (`sluice setup`). So it answers that whatever a client would install
// is there, and refuses new ones. Found by letting clients run, and in their sources: Filebeat and Logstash 8 and 9.

import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '#shared/errors.ts';

/** The version whose `_bulk` this is. Beats refuse an Elasticsearch that is older than they are. */
const VERSION = '9.5.0';
const ABOUT = {
  name: 'sluice',
  cluster_name: 'sluice',
  // What Elasticsearch says while it has none.
  cluster_uuid: '_na_',
  version: {
    number: VERSION,
    build_flavor: 'default',
    build_type: 'docker',
    build_hash: 'unknown',
    build_date: '1970-01-01T00:00:00Z',
    build_snapshot: false,
    lucene_version: '10.0.0',
    minimum_wire_compatibility_version: '8.19.0',
    minimum_index_compatibility_version: '8.0.0',
  },
  tagline:
    'Sluice takes logs here: POST /<tag> with JSON, NDJSON or msgpack; OTLP, Splunk HEC, Loki, and this _bulk too.',
};
const LICENSE = { license: { status: 'active', uid: '_na_', type: 'basic', mode: 'basic' } };
const FEATURES = { ilm: { available: true, enabled: true }, security: { available: true, enabled: false } };
const HEALTH = {
  cluster_name: 'sluice',
  status: 'green',
  timed_out: false,
  number_of_nodes: 1,
  number_of_data_nodes: 1,
};

/** What a client may want to install, or asks to be there. */
const INSTALLED = [
  '/_template/*',
  '/_index_template/*',
  '/_component_template/*',
  '/_ilm/policy/*',
  '/_ingest/pipeline/*',
  '/_data_stream/*',
  '/_alias/*',
];

/** Up to here an answer is sent at once, with its length. */
const WHOLE_BYTES_MAX = 512 * 1024;

export function answerHandshake(scope: FastifyInstance): void {
  const answers: readonly (readonly [path: string, answer: object])[] = [
    ['/', ABOUT],
    ['/_license', LICENSE],
    ['/_xpack', { license: LICENSE.license, features: FEATURES, tagline: '' }],
    ['/_cluster/health', HEALTH],
    ['/_nodes/http', { cluster_name: 'sluice', nodes: {} }],
    ['/_cat/health', HEALTH],
    ...INSTALLED.map((path) => [path, {}] as const),
  ];
  for (const [path, answer] of answers) {
    scope.get(path, (request, reply) => sendJson(request, reply, answer));
  }
  for (const path of INSTALLED) {
    scope.route({
      method: ['PUT', 'POST', 'DELETE'],
      url: path,
      handler: () => {
        throw new SluiceError(
          'method_refused',
          'Cannot install this: Sluice has templates of its own; switch this off in the sender (docs/senders.md)',
        );
      },
    });
  }
}

export function sendJson(request: FastifyRequest, reply: FastifyReply, answer: object): FastifyReply {
  // For a string fastify would rewrite the type, and not as clients expect it.
  return typed(request, reply).send(Buffer.from(JSON.stringify(answer)));
}

/** JSON that comes in pieces. */
interface JsonPieces {
  readonly pieces: Iterator<string, void, undefined>;
  /** Resolves when the next one may be made; never rejects. */
  readonly mayGoOn: () => Promise<void>;
}

/**
 * Sends JSON that comes in pieces, each in a turn of its own: a short answer with its length, a long one as fast as its
 * client reads.
 */
export async function sendJsonPieces(
  request: FastifyRequest,
  reply: FastifyReply,
  { pieces, mayGoOn }: JsonPieces,
): Promise<FastifyReply> {
  const first: Buffer[] = [];
  let bytes = 0;
  while (bytes < WHOLE_BYTES_MAX) {
    const next = pieces.next();
    if (next.done) return typed(request, reply).send(Buffer.concat(first, bytes));
    const piece = Buffer.from(next.value);
    first.push(piece);
    bytes += piece.length;
    await turn();
    await mayGoOn();
  }
  return typed(request, reply).send(Readable.from(inTurns(first, { pieces, mayGoOn }), { objectMode: false }));
}

async function* inTurns(first: readonly Buffer[], { pieces, mayGoOn }: JsonPieces): AsyncGenerator<Buffer> {
  for (const piece of first) if (piece.length > 0) yield piece;
  for (let next = pieces.next(); !next.done; next = pieces.next()) {
    if (next.value !== '') yield Buffer.from(next.value);
    await turn();
    await mayGoOn();
  }
}

/** As `application/vnd.elasticsearch+json;compatible-with=8` where the client asks for it. */
function typed({ headers }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const asked = /application\/vnd\.elasticsearch\+json\s*;\s*compatible-with=(\d{1,2})/.exec(headers.accept ?? '');
  const type = asked ? `application/vnd.elasticsearch+json;compatible-with=${asked[1]}` : 'application/json';
  return reply.header('content-type', type);
}
