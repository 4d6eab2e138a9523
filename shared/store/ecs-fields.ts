// The fields of the Elastic Common Schema that a document takes from what a line or a record says, beside those that
// tell where it came from (docs/documents.md), and their types. The template maps them; the indexer fills them; the
// embedded store finds their words. Pure.
//
// https://www.elastic.co/guide/en/ecs/current/ecs-field-reference.html

/** `text`: of any length, searched by words. The others are searched whole. */
export type EcsType = 'keyword' | 'text' | 'long' | 'ip';

/** Paths that begin alike stand together: each object is written once. */
export const ecsFields = [
  ['log.logger', 'keyword'],
  ['log.file.path', 'keyword'],
  ['log.origin.file.name', 'keyword'],
  ['log.origin.file.line', 'long'],
  ['log.origin.function', 'keyword'],
  ['event.action', 'keyword'],
  ['event.duration', 'long'],
  ['trace.id', 'keyword'],
  ['span.id', 'keyword'],
  ['transaction.id', 'keyword'],
  ['error.type', 'keyword'],
  ['error.code', 'keyword'],
  ['error.message', 'text'],
  ['error.stack_trace', 'text'],
  ['http.version', 'keyword'],
  ['http.request.method', 'keyword'],
  ['http.request.id', 'keyword'],
  ['http.request.referrer', 'keyword'],
  ['http.request.body.bytes', 'long'],
  ['http.response.status_code', 'long'],
  ['http.response.body.bytes', 'long'],
  ['url.original', 'keyword'],
  ['url.full', 'keyword'],
  ['url.scheme', 'keyword'],
  ['url.domain', 'keyword'],
  ['url.path', 'keyword'],
  ['url.query', 'keyword'],
  ['source.ip', 'ip'],
  ['source.port', 'long'],
  ['client.ip', 'ip'],
  ['client.port', 'long'],
  ['user.id', 'keyword'],
  ['user.name', 'keyword'],
  ['user.email', 'keyword'],
  ['user_agent.original', 'keyword'],
  ['process.pid', 'long'],
  ['process.name', 'keyword'],
  ['process.thread.id', 'long'],
  ['process.thread.name', 'keyword'],
] as const satisfies readonly (readonly [path: string, type: EcsType])[];

export type EcsPath = (typeof ecsFields)[number][0];
