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

/** Other names of the fields of the Elastic Common Schema. Of several that fit, the first one is taken. */
export const ecsAliases: Readonly<Partial<Record<EcsPath, readonly string[]>>> = {
  'log.logger': [
    'logger',
    'logger_name',
    'loggerName',
    'LoggerName',
    'Category',
    'SourceContext',
    'Properties.SourceContext',
    '@module',
    'record.name',
  ],
  'log.origin.function': ['funcName', 'record.function'],
  'log.origin.file.line': ['record.line'],
  'trace.id': ['trace_id', 'traceId', 'traceID', 'traceid', 'TraceId', '@tr', 'dd.trace_id'],
  'span.id': ['span_id', 'spanId', 'spanID', 'spanid', 'SpanId', '@sp', 'dd.span_id'],
  'transaction.id': ['transaction_id'],
  'error.type': ['err.type', 'exception.type', 'exception.exception_class', 'error.name', 'err.name', 'thrown.name'],
  'error.code': ['err.code'],
  'error.message': [
    'err.message',
    'exception.message',
    'exception.exception_message',
    'thrown.message',
    'error',
    'err',
  ],
  'error.stack_trace': [
    'error.stack', 'err.stack', 'exception.stacktrace', 'stack_trace', 'stacktrace', 'stack', 'exc_info', 'exception',
    'Exception', '@x', 'thrown.extendedStackTrace',
  ], // prettier-ignore
  'http.request.method': ['http.method', 'req.method'],
  'http.request.id': ['request_id', 'requestId', 'req.id', 'reqId'],
  'http.response.status_code': ['http.status_code', 'res.statusCode'],
  'url.original': ['http.target', 'req.url'],
  'url.full': ['http.url'],
  'user_agent.original': ['http.user_agent', 'user_agent', 'req.headers.user-agent'],
  'source.ip': ['req.remoteAddress'],
  'source.port': ['req.remotePort'],
  'client.ip': ['http.client_ip'],
  'user.id': ['user_id', 'userId', 'enduser.id'],
  'user.name': ['username'],
  'process.pid': ['pid', '_PID', 'ProcessId'],
  'process.name': ['process', 'processName'],
  'process.thread.name': ['thread', 'thread_name', 'threadName'],
  'process.thread.id': ['thread_id', 'threadId', 'tid'],
};

/** Whose words a search for words finds, beside those of the message and of the attributes. */
export const foundPaths: readonly string[] = [
  'log.level',
  ...ecsFields.filter(([, type]) => type !== 'long').map(([path]) => path),
];
