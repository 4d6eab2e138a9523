// What is wrong with a query is said, and shown at its place.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseQuery } from '#shared/store/query/parser.ts';
import { mistakeText } from '#shared/store/query/query-mistake.ts';

/** `^` below the place. */
function check(text: string, caret: string, message: string): void {
  const parsed = parseQuery(text, { nowMs: 0 });
  assert('mistake' in parsed, text);
  assert.equal(mistakeText(text, parsed.mistake), `${message}\n  ${text}\n  ${caret}`);
}

test('mistakes', () => {
  check('a (b c', '  ^', 'this ( is never closed');
  check('a OR', '  ^', 'OR has nothing to look for behind it');
  check('OR a', '^', 'OR has nothing to look for before it');
  check('a || || b', '  ^', '|| has nothing to look for behind it');
  check('a AND', '  ^', 'AND has nothing behind it');
  check('AND a', '^', 'AND has nothing before it');
  check('a AND AND b', '      ^', 'AND has nothing before it');
  check('(a AND)', '   ^', 'AND has nothing behind it');
  check('a NOT', '  ^', 'there is nothing to exclude');
  check('-(--)', '^', 'there is nothing to exclude');
  check('level:()', '      ^', 'there is nothing between the parentheses');
  check('(level:)', '       ^', 'log.level has no value');
  check('x:"abc', '  ^', 'this " is never closed');
  check('x:[1 TO', '  ^', 'a range is written [1 TO 5]; text with brackets goes in "quotes"');
  check('x:[main]', '  ^', 'a range is written [1 TO 5]; text with brackets goes in "quotes"');
  check('x:[1 TO b]', '        ^', '"b" is no number, and attributes.x is compared by number');
  check('x:{b TO 1]', '   ^', '"b" is no number, and attributes.x is compared by number');
  check('x<5ms', '  ^', '"5ms" is no number, and attributes.x is compared by number');
  check('level>=error', '^', 'log.level has no order: numbers and times can be compared');
  check('kubernetes.labels.app>5', '^', 'kubernetes.labels.app has no order: numbers and times can be compared');
  check('attributes>5', '^', 'attributes has no order: numbers and times can be compared');
  check('event.sequence:x', '               ^', '"x" is no number, and event.sequence is compared by number');
  check('time>=5', '      ^', '"5" is no time: write now-1h, 2026-03-01 or 2026-03-01T12:00:00Z');
  check('time:2026-13-01', '     ^', '"2026-13-01" is no time: write now-1h, 2026-03-01 or 2026-03-01T12:00:00Z');
  check('a x:a*b', '    ^', 'in attributes.x a * can only be the end of a value');
  check('container:*a*b*c*d*e*f*g*h*i*j*k', '          ^', 'it has more than 10 stars');
  check('x event.original:a', '  ^', 'event.original is not searched: its words are in message and the fields');
  check('event.original:*', '^', 'event.original is not searched: its words are in message and the fields');
  check('client.ip:10.1*', '          ^', '"10.1*" is no address: write 10.0.0.1, 10.0.0.0/8 or 10.*');
  check('client.ip:10.0.0.0/33', '          ^', '"10.0.0.0/33" is no address: write 10.0.0.1, 10.0.0.0/8 or 10.*');
  check('status:5*', '       ^', 'http.response.status_code is a number, and has no *: write [500 TO 599]');
  check('message:--', '        ^', 'there is no word to look for');
});

test('behind a bar', () => {
  check('a | b', '    ^', 'there is no "b": write count by …, top N …, stats avg(…) by …, sort …, fields … or head N');
  check('a |', '   ^', 'here what to do is missing');
  check('a | count by', '            ^', 'here a field or a span of time is missing');
  check('a | count by 5m, 1h', '                 ^', 'there is one span of time, above 0');
  check('a | count by x y', '               ^', 'count ends here');
  check(
    'a | stats mean(x)',
    '          ^',
    'there is no measure "mean": count, avg, sum, min, max, uniq, and p50 to p100',
  );
  check(
    'a | stats p101(x)',
    '          ^',
    'there is no measure "p101": count, avg, sum, min, max, uniq, and p50 to p100',
  );
  check('a | stats avg', '          ^', 'write avg(field)');
  check('a | stats avg(x', '               ^', 'here ) is missing');
  check('a | head x', '         ^', 'give a number up to 10000');
  check('a | top 20000 x', '        ^', 'this is above 10000');
  check('a | top b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v', `${' '.repeat(48)}^`, 'these are more than 20');
  check('a | count | top x', '            ^', 'count, top and stats are about documents: they come first, and once');
  check('a | sort "x', '         ^', 'this cannot be read');
});

test('a long query is cut around the place, and nothing in it harms a terminal', () => {
  const text = `${'a '.repeat(100)}(\u001b[31m${'b '.repeat(100)}`;
  const parsed = parseQuery(text, { nowMs: 0 });
  assert('mistake' in parsed);
  const [, line = '', caret = ''] = mistakeText(text, parsed.mistake).split('\n');
  assert.equal(line[caret.indexOf('^')], '(');
  assert(line.length < 120 && line.includes(String.raw`\u001b`));
  const tabs = 'a\t连\n(b';
  const wrong = parseQuery(tabs, { nowMs: 0 });
  assert('mistake' in wrong);
  assert.equal(mistakeText(tabs, wrong.mistake), 'this ( is never closed\n  a 连 (b\n    \u3000 ^');
});
