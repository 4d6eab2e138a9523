// Log records and queries of them, made at random from few keys, values and words, so that queries find something. For
// the test that compares what finds it.

import fc from 'fast-check';

const words = [
  'error',
  'Error',
  'timeout',
  'GET',
  '/api/items',
  'user_id=42',
  '10.0.0.1',
  '连接失败',
  'größe',
  'a-b.c',
  'x',
];
// prettier-ignore
const numbers = [
  0, 1, -1, 5, 99, 100, 200, 404, 499, 499.5, 500, 503, 1e6, 0.001, 12.4, -12.4, -500, 1e21, 5e-324, -1.7e308,
  2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n,
];
const numberTexts = [
  '500',
  '0500',
  '12.40',
  '-1',
  '1e3',
  '+5',
  '5.',
  '18446744073709551615',
  '1234567890123456789012345',
];
const keys = ['status', 'took', 'user', 'http.method', 'http', 'odd key', 'größe', 'a:b', 'level', 'count'];
const containers = ['web-1', 'web-2', 'WEB-1', 'db', 'we*b'];
const levels = ['error', 'ERROR', 'Error', 'warn', 'info'];
const labels = ['web', 'db', '1'];

const line = fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 4 }).map((all) => all.join(' '));
/**
 * Of attributes: seldom words of ASCII around others, which is where Elasticsearch takes two words for neighbours (see
 * differences.test.ts).
 */
const plainLine = fc.oneof(
  { weight: 20, arbitrary: line.filter((text) => !/[^ -~]/.test(text)) },
  { weight: 8, arbitrary: fc.constantFrom('连接失败', 'größe') },
  { weight: 1, arbitrary: fc.constant('error größe timeout') },
);
const scalar = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<unknown>(...numbers) },
  { weight: 2, arbitrary: fc.constantFrom(...numberTexts) },
  { weight: 3, arbitrary: plainLine },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(true, false, null, '', NaN, -0) },
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 6, arbitrary: scalar },
    { weight: 1, arbitrary: fc.array(tie('any'), { maxLength: 3 }) },
    { weight: 2, arbitrary: fc.dictionary(fc.constantFrom(...keys, 'method', 'b'), tie('any'), { maxKeys: 3 }) },
  ),
})).any;

/** A record, and the nanosecond of its day's noon at which it was written. */
export const records = fc.record(
  {
    log: line,
    level: fc.constantFrom(...levels),
    'client.ip': fc.constantFrom('10.0.0.1', '10.0.0.20', '10.1.0.1', '2001:db8::1', '::ffff:10.0.0.1', 'x'),
    'http.response.status_code': fc.constantFrom<unknown>(200, '404', 500, 'x', 2n ** 63n - 1n),
    'url.path': fc.oneof(line, fc.constantFrom('/', 'x'.repeat(1025))),
    error: line,
    request_id: fc.constantFrom<unknown>('a-b.c', 'x', 5),
    stream: fc.constantFrom('stdout', 'stderr'),
    container_name: fc.constantFrom(...containers),
    service: fc.constantFrom('billing', 'web-1'),
    kubernetes: fc.record({ labels: fc.dictionary(fc.constantFrom('app', 'a.b/c'), fc.constantFrom(...labels)) }),
    ...Object.fromEntries(keys.filter((key) => key !== 'level').map((key) => [key, value])),
  },
  { requiredKeys: [] },
);

// prettier-ignore
const name = fc.constantFrom(
  'status', 'took', 'user', 'http.method', 'http', String.raw`odd\ key`, 'größe', String.raw`a\:b`, 'http.b',
  'attributes.status', 'http.response.status_code', 'request_id', 'user.id', 'attributes.took.method',
  'attributes.level',
);
const keyword = fc.constantFrom('level', 'container', 'stream', 'service.name', 'container.name', 'tenant');
const number = fc.oneof(
  fc.constantFrom(...numbers).map(String),
  fc.constantFrom('1e3', '.5', '+5', '499.9', '-0', '9223372036854775808', '1e300', '-1e-300'),
);
const operator = fc.constantFrom('>=', '>', '<=', '<', ':>=', ' >= ');
const instant = fc
  .tuple(fc.constantFrom('12', '12', '12', '07', '13', '19'), fc.nat({ max: 100 }))
  .map(([hour, ns]) => `2020-01-21T${hour}:00:00.${String(ns).padStart(9, '0')}Z`);
const keywordValue = fc.constantFrom(
  ...levels,
  ...containers,
  'stderr',
  'we*',
  '*-1',
  'W*1',
  'e*r',
  '*',
  String.raw`we\*b`,
  '"web-1"',
);

const term = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(...words, 'err*', 'items', '连接', '"error timeout"', '"GET /api it*"', '404', '12.4'),
  },
  { weight: 3, arbitrary: fc.tuple(keyword, keywordValue).map(([field, text]) => `${field}:${text}`) },
  { weight: 3, arbitrary: fc.tuple(name, number).map(([field, text]) => `${field}:${text}`) },
  { weight: 2, arbitrary: fc.tuple(name, line).map(([field, text]) => `${field}:"${text}"`) },
  {
    weight: 2,
    arbitrary: fc.tuple(name, fc.constantFrom('err*', 'G*', '5*', '*', 'true', 'x', '""')).map(([f, t]) => `${f}:${t}`),
  },
  { weight: 5, arbitrary: fc.tuple(name, operator, number).map((parts) => parts.join('')) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(name, fc.constantFrom('[', '{'), number, fc.oneof(number, fc.constant('*')), fc.constantFrom(']', '}'))
      .map(([field, open, from, to, close]) => `${field}:${open}${from} TO ${to}${close}`),
  },
  { weight: 2, arbitrary: fc.tuple(operator, instant).map(([sign, time]) => `@timestamp${sign}${time}`) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(operator, fc.constantFrom('0', '5', '5.5', '1e30', '-1e30'))
      .map(([sign, n]) => `event.sequence${sign}${n}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'message:error',
      'message:"GET /api"',
      'message:*',
      'message:it*',
      'kubernetes.labels.app:web',
      'kubernetes.labels.a.b/c:*',
      'kubernetes.labels:db',
      'attributes:*',
      'attributes:x',
      'client.ip:10.0.0.1',
      'client.ip:10.0.0.0/24',
      'client.ip:10.*',
      'client.ip:10.1*',
      'client.ip:x',
      'client.ip:*',
      'client.ip:"2001:DB8:0::1"',
      'client.ip:2001:db8::/32',
      'url.path:*items*',
      'url.path:"/api/items"',
      'url.path:/*',
      'error:timeout',
      'error:"error timeout"',
      'error.message:err*',
      'error.message:*',
      'request_id:a-b*',
      'request_id:"a-b.c"',
      'words:error',
      'event.original:x',
      'event.created>=2020-01-01',
      'event.created:*',
      'event.severity>=17',
      'event.ingested>=2020-01-01',
      'nothing:*',
      '--',
    ),
  },
  { weight: 1, arbitrary: fc.tuple(name, number, number).map(([field, a, b]) => `${field}:(${a} OR >${b})`) },
);

/** Text in the language of queries; now and then a wrong one. */
export const queries: fc.Arbitrary<string> = fc.letrec<{ query: string }>((tie) => ({
  query: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    term,
    fc.tuple(tie('query'), fc.constantFrom(' ', ' AND ', ' OR '), tie('query')).map((parts) => parts.join('')),
    fc.tuple(fc.constantFrom('NOT ', '-'), tie('query')).map(([not, inner]) => `${not}(${inner})`),
    tie('query').map((inner) => `(${inner})`),
  ),
})).query;
