// What a query's text means, as a table; and that no text takes long or breaks anything.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseQuery, QUERY_LENGTH_MAX } from '#shared/store/query/parser.ts';
import { parseQueryText } from '#shared/store/query-text.ts';
import { shown } from './shown.ts';

const nowMs = Date.UTC(2026, 2, 1, 12);

function check(text: string, expected: string): void {
  const parsed = parseQuery(text, { nowMs });
  assert.equal('mistake' in parsed ? parsed.mistake.message : shown(parsed.where), expected, text);
}

test('words mean what they always did', () => {
  check('', '*');
  check('*', '*');
  check('-- % "" *', '*');
  check('connection refused', '(connection & refused)');
  check('"connection refused"', 'connection+refused');
  check('refus* "by pe*"', '(refus… & by+pe…)');
  check('10.0.0.1 95%', '(10+0+0+1 & 95)');
  check('foo"bar baz"qux', '(foo & bar+baz & qux)');
  check('"never closed', 'never+closed');
  check('main() f(x) NEAR(refused)', '(main & f+x & near+refused)');
  check('foo) [main] {x}', '(foo & main & x)');
  check('-> => a->b a=>b <div> List<String> 2>&1', '(a+b & a+b & div & list+string & 2+1)');
  check('key=value a|b a+b +x', '(key+value & a+b & a+b & x)');
  check('ERROR: x', '(error & x)');
  check('http://x:80/y std::string', '(http+x+80+y & std+string)');
  check(String.raw`C:\temp \d+ "a\b"`, '(c+temp & d & a+b)');
  check('10:30:00 2026-03-01T12:00', '(10+30+00 & 2026+03+01t12+00)');
  check('--verbose - -- x', '(verbose & x)');
  check('and or not', '(and & or & not)');
  check('连接 失败', '(连+接 & 失+败)');
  check('level :error level: error', '(level & error & level & error)');
});

test('operators', () => {
  check('a AND b', '(a & b)');
  check('a && b', '(a & b)');
  check('a OR b', '(a | b)');
  check('a || b || c', '(a | b | c)');
  check('a OR b c', '(a | (b & c))');
  check('a b OR c', '((a & b) | c)');
  check('(a OR b) c', '((a | b) & c)');
  check('NOT a', '!a');
  check('-a -"b c" -(d OR e)', '(!a & !b+c & !(d | e))');
  check('a AND NOT b', '(a & !b)');
  check('NOT NOT a', '!!a');
  check('NOT(a b)', '!(a & b)');
  check('a AND(b)', '(a & b)');
  check('(main() OR x)', '(main | x)');
  check('((a))', 'a');
  check('main ()', 'main');
  check('a -- AND b', '(a & b)');
});

test('fields', () => {
  check('level:error', 'log.level=error');
  check('log.level:error', 'log.level=error');
  check('container:web-1 pod:x tag:y', '(container.name=web-1 & kubernetes.pod.name=x & fluentd.tag=y)');
  check('points:500', 'attributes.points=500');
  check('attributes.level:30', 'attributes.level=30');
  check('http.route:GET', 'attributes.http.route=GET');
  check(
    'kubernetes.labels.app.kubernetes.io/name:web',
    '(kubernetes.labels.app.kubernetes.io/name=web | kubernetes.labels.app_kubernetes_io_name=web)',
  );
  check('attributes:x', 'attributes=x');
  check('größe:x _id:y', '(attributes.größe=x & attributes._id=y)');
  check(String.raw`odd\ key:x a\:b:y`, '(attributes.odd key=x & attributes.a:b=y)');
  check('uri:"/a b" uri:/a?b=c', '(attributes.uri=/a b & attributes.uri=/a?b=c)');
  check(String.raw`x:"a\"b\\c\d"`, String.raw`attributes.x=a"b\c\d`);
  check('x:""', 'attributes.x=');
  check('x:a:b', 'attributes.x=a:b');
  check('x:a"b c"', '(attributes.x=a & b+c)');
  check('user:* user:** x:"*"', '(attributes.user? & attributes.user? & attributes.x=*)');
  check('user:ab* container:*b*c', '(attributes.user=ab… & container.name=…b…c)');
  check(String.raw`container:we\*b container:we\**`, '(container.name=we*b & container.name=we*…)');
  check('message:refus* message:"a b" message:*', '(message~refus… & message~a+b & message?)');
  check('level:(error OR warn*)', '(log.level=error | log.level=warn…)');
  check('level:(a -b "c d")', '(log.level=a & !log.level=b & log.level=c d)');
  check('-level:debug NOT (level:info)', '(!log.level=debug & !log.level=info)');
  check('(level:error)', 'log.level=error');
});

test('names that mean a field of the schema and an attribute', () => {
  check('status>=500', '(attributes.status>=500 | http.response.status_code>=500)');
  check('status:ok', 'attributes.status=ok');
  check('-status:*', '!(attributes.status? | http.response.status_code?)');
  const range = (sign: string) => `(attributes.status${sign} | http.response.status_code${sign})`;
  check('status:(>=500 <600)', `(${range('>=500')} & ${range('<600')})`);
  check('user.id:42', '(user.id=42 | attributes.user.id=42)');
  check('user_id>=42', 'attributes.user_id>=42');
  check('url:*items', 'url.original=…items');
  check('error:timeout', '(attributes.error=timeout | error.message~timeout)');
  const ten = '0000:0000:0000:0000:0000:ffff:0a00';
  check('client.ip:10.0.0.1', `(client.ip=${ten}:0001-${ten}:0001 | attributes.client.ip=10.0.0.1)`);
  check('client.ip:10.0.*', `(client.ip=${ten}:0000-${ten}:ffff | attributes.client.ip=10.0.…)`);
  check('client.ip:10.0.0.0/30', `(client.ip=${ten}:0000-${ten}:0003 | attributes.client.ip=10.0.0.0/30)`);
  check('client.ip:unknown', 'attributes.client.ip=unknown');
  check('attributes.client.ip:10.0.0.1', 'attributes.client.ip=10.0.0.1');
});

test('ranges', () => {
  check('points>=500', 'attributes.points>=500');
  check('points > 500', 'attributes.points>500');
  check('points>= -1.5e3', 'attributes.points>=-1.5e3');
  check('points:>=500 points:<.5', '(attributes.points>=500 & attributes.points<.5)');
  check('points:(>=500 <600)', '(attributes.points>=500 & attributes.points<600)');
  check('points:[100 TO 500]', 'attributes.points>=100<=500');
  check('points:{100 TO 500}', 'attributes.points>100<500');
  check('points:[100 TO *}', 'attributes.points>=100');
  check('points:[* TO 5}', 'attributes.points<5');
  check('points:[* TO *]', 'attributes.points?');
  check('points:["1" TO "2"]', 'attributes.points>=1<=2');
  check('event.sequence:5', 'event.sequence>=5<=5');
  check('a > b a<b', '(a & b & a+b)');
});

test('times', () => {
  check('@timestamp>=now-1h', '@timestamp>=2026-03-01T11:00:00Z');
  check('time<now-1d-12h', '@timestamp<2026-02-28');
  check('@timestamp:2026-03-01', '@timestamp>=2026-03-01<2026-03-02');
  check('@timestamp:2026-03-01T12:30', '@timestamp>=2026-03-01T12:30:00Z<2026-03-01T12:31:00Z');
  check('@timestamp>2026-03-01', '@timestamp>=2026-03-02');
  check('@timestamp<=2026-03-01', '@timestamp<2026-03-02');
  check('@timestamp<"2026-03-01 12:00:00Z"', '@timestamp<2026-03-01T12:00:00Z');
  check('@timestamp:{2026-03-01 TO now]', '@timestamp>=2026-03-02<2026-03-01T12:00:00.000000001Z');
  check('event.ingested>=2026-03-01T01:00:00.5+01:00', 'event.ingested>=2026-03-01T00:00:00.500000000Z');
});

test('a text without signs of the language means its words, whatever it is', () => {
  const piece = fc.string({ unit: fc.constantFrom(...Array.from("abz09_./%=+#~^?*'é连 \t")) });
  fc.assert(
    fc.property(piece, (text) => {
      const terms = parseQueryText(text).map(({ words, prefix }) => words.join('+') + (prefix ? '…' : ''));
      check(text, terms.length === 0 ? '*' : terms.length === 1 ? (terms[0] ?? '') : `(${terms.join(' & ')})`);
    }),
  );
});

test('every text is a tree or a mistake with its place', () => {
  const signs = [
    ...Array.from('()[]{}-:*"\\<>=|.,@ \0\ud800é连1a'),
    ' AND ',
    ' OR ',
    ' NOT ',
    ' TO ',
    'level',
    'now',
    ' | count by ',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...signs)), (parts) => {
      const text = parts.join('');
      const parsed = parseQuery(text, { nowMs });
      if ('mistake' in parsed) assert(parsed.mistake.at >= 0 && parsed.mistake.at <= text.length, text);
    }),
    { numRuns: 3000 },
  );
});

test('texts chosen to cost the most', () => {
  const bombs = [
    '(',
    ')',
    '-',
    'NOT ',
    'a:*',
    'a:* ',
    'a:(',
    '"',
    'a:"',
    '\\',
    '\0',
    '\ud800',
    'x',
    ' ',
    'a  ',
    '((-',
    'a>',
    'a:[',
  ];
  for (const bomb of [
    ...bombs,
    'a:[1 TO ',
    'a.',
    'a OR ',
    'a:**',
    '连',
    'a | ',
    '| count ',
    'a\\ ',
    'now-1s',
    '-a ',
    '() ',
  ]) {
    for (const length of [8192, QUERY_LENGTH_MAX]) {
      const text = bomb.repeat(Math.ceil(length / bomb.length)).slice(0, length);
      const parsed = parseQuery(text, { nowMs });
      assert('where' in parsed || parsed.mistake.message.length < 200, bomb);
    }
  }
  check('x'.repeat(QUERY_LENGTH_MAX + 1), `it is longer than ${QUERY_LENGTH_MAX} characters`);
  check(`${'a '.repeat(500)}b`, 'it has more than 500 terms');
  check(`${'('.repeat(51)}a`, 'it is nested more than 50 deep');
});
