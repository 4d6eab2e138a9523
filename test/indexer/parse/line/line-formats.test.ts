// Lines of text, format by format.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Expected, check, created, isMessage } from './lines.ts';

test('logfmt', () => {
  check('time="2026-01-02T03:04:05.678Z" level=info msg="API listen \\"x\\"" a=1.50 b=12 c= d=-3 e=true', {
    time: '2026-01-02T03:04:05.678Z', message: 'API listen "x"', level: 'info',
    attributes: { a: '1.50', b: 12, c: '', d: -3, e: 'true' },
  }); // prettier-ignore
  check('level=error ts=2026-01-02T03:04:05Z caller=main.go:12 err="x"', {
    time: created, message: 'level=error ts=2026-01-02T03:04:05Z caller=main.go:12 err="x"', level: 'error',
    original: false,     log: { origin: { file: { name: 'main.go', line: 12 } } }, error: { message: 'x' },
  }); // prettier-ignore
  isMessage('a=b c=d');
  isMessage('level=info and text');
  isMessage('level=info');
  isMessage('level=info msg="open');
  isMessage('level=info msg="a"b=c');
  isMessage('level=info msg=a"b');
});

test('klog', () => {
  check('E1121 10:00:00.123456       1 reflector.go:138] Failed to watch', {
    message: 'Failed to watch', level: 'error', attributes: { level: 'E' }, process: { thread: { id: 1 } },
    log: { origin: { file: { name: 'reflector.go', line: 138 } } },
  }); // prettier-ignore
  isMessage('E1121 10:00:00.123456       1 reflector.go] Failed');
  isMessage('E1121 10:00:00.123456 x reflector.go:1] Failed');
  isMessage('E112 10:00:00.123456 1 reflector.go:1] Failed');
});

test('heads of text: a time, a level, who says it', () => {
  const text = 'some text: a=1';
  const head = (before: string, expected: Expected): void => check(`${before}${text}`, { message: text, ...expected });
  const main = { process: { thread: { name: 'main' } } };
  head('2026-01-02 03:04:05,678 INFO  [main] com.shop.Cart - ', {
    level: 'info',
    log: { logger: 'com.shop.Cart' },
    ...main,
  });
  head('2026-01-02T03:04:05.678Z  INFO 1 --- [main] c.s.Cart      : ', {
    time: '2026-01-02T03:04:05.678Z', level: 'info', log: { logger: 'c.s.Cart' },
    process: { pid: 1, thread: { name: 'main' } },
  }); // prettier-ignore
  head('03:04:05.678 [main] INFO com.Foo -- ', { level: 'info', log: { logger: 'com.Foo' }, ...main });
  head('2026-01-02 03:04:05,678 - shop - WARNING - ', {
    level: 'warn',
    log: { logger: 'shop' },
    attributes: { level: 'WARNING' },
  });
  head('ERROR:shop:', { level: 'error', log: { logger: 'shop' } });
  head('[2026-01-02 03:04:05 +0000] [7] [INFO] ', { time: created, level: 'info', process: { pid: 7 } });
  head('[2026-01-02 03:04:05,678] INFO [x y] ', { level: 'info', message: `[x y] ${text}` });
  head('[2026-01-02T03:04:05,678][INFO ][o.e.n.Node    ] [node-1] ', {
    level: 'info', log: { logger: 'o.e.n.Node' }, message: `[node-1] ${text}`,
  }); // prettier-ignore
  head('2026-01-02T03:04:05.678901Z  INFO shop::cart: ', {
    time: '2026-01-02T03:04:05.678901Z',
    level: 'info',
    log: { logger: 'shop::cart' },
  });
  head('[2026-01-02T03:04:05Z INFO  shop] ', { time: created, level: 'info', log: { logger: 'shop' } });
  head('2026-01-02 03:04:05.678 UTC [7] FATAL:  ', {
    time: '2026-01-02T03:04:05.678Z', level: 'critical', process: { pid: 7 }, attributes: { level: 'FATAL' },
  }); // prettier-ignore
  head('2026/01/02 03:04:05 [error] 7#8: ', { level: 'error', process: { pid: 7, thread: { id: 8 } } });
  head('[Fri Jan 02 03:04:05.678901 2026] [core:error] [pid 7:tid 8] ', {
    level: 'error', log: { logger: 'core' }, process: { pid: 7, thread: { id: 8 } },
  }); // prettier-ignore
  head('[Fri Jan 02 03:04:05.678901 2026] [core:error] [pid 7:tid 8] [client ::1:4711] ', {
    level: 'error', log: { logger: 'core' }, process: { pid: 7, thread: { id: 8 } }, client: { ip: '::1', port: 4711 },
  }); // prettier-ignore
  head('info: Shop.Cart[14] ', { level: 'info', log: { logger: 'Shop.Cart' } });
  head('[03:04:05 WRN] ', { level: 'warn', attributes: { level: 'WRN' } });
  head('2026-01-02T04:04:05+01:00 ', { time: created });
  head('2026-01-02T03:04:05Z ', { time: created });
  head('INFO:     ', { level: 'info' });
  head('2026-01-02T03:04:05Z INFO 5 ', { time: created, level: 'info', message: `5 ${text}` });
});

test('.NET: its console in each of its forms, Serilog, NLog', () => {
  check('fail: Shop.Cart[13]', {
    level: 'error', message: 'fail: Shop.Cart[13]', original: false, log: { logger: 'Shop.Cart' },
    attributes: { level: 'fail' },
  }); // prettier-ignore
  isMessage('      order 17 failed');
  check('2026-01-02T03:04:05.678Z warn: Shop.Cart[14] order 17 is slow', {
    time: '2026-01-02T03:04:05.678Z', level: 'warn', message: 'order 17 is slow', log: { logger: 'Shop.Cart' },
  }); // prettier-ignore
  check('<4>Shop.Cart[14] order 17 is slow', {
    level: 'warn', message: 'Shop.Cart[14] order 17 is slow', attributes: { level: '4' },
  }); // prettier-ignore
  const state = { Message: 'order 17 took 12.5', id: 17, took: 12.5, '{OriginalFormat}': 'order {id} took {took}' };
  const console = { EventId: 14, LogLevel: 'Warning', Category: 'Shop.Cart', Message: state.Message, State: state };
  check(JSON.stringify(console), {
    level: 'warn', message: state.Message, log: { logger: 'Shop.Cart' },
    attributes: { EventId: 14, LogLevel: 'Warning', State: state },
  }); // prettier-ignore
  const trace = 'System.InvalidOperationException: no\n   at Shop.Cart.Place()';
  check(JSON.stringify({ Timestamp: '2026-01-02T03:04:05.6781234Z', ...console, Exception: trace }), {
    time: '2026-01-02T03:04:05.678123400Z', level: 'warn', message: state.Message, log: { logger: 'Shop.Cart' },
    attributes: { EventId: 14, LogLevel: 'Warning', State: state }, error: { stack_trace: trace },
  }); // prettier-ignore
  check('[03:04:05 INF] order 17 took 12.5', {
    level: 'info', message: 'order 17 took 12.5', attributes: { level: 'INF' },
  }); // prettier-ignore
  check('2026-01-02 03:04:05.678 +00:00 [WRN] order 17 took 12.5', {
    time: '2026-01-02T03:04:05.678Z', level: 'warn', message: 'order 17 took 12.5', attributes: { level: 'WRN' },
  }); // prettier-ignore
  const id = '4bf92f3577b34da6a3ce929d0e0e4736';
  const compact = { '@t': '2026-01-02T03:04:05.6781234Z', '@mt': 'order {id}', '@l': 'Error', '@x': trace, id: 17 };
  check(JSON.stringify({ ...compact, SourceContext: 'Shop.Cart', '@tr': id, '@sp': '00f067aa0ba902b7' }), {
    time: '2026-01-02T03:04:05.678123400Z', level: 'error', message: 'order {id}', log: { logger: 'Shop.Cart' },
    trace: { id }, span: { id: '00f067aa0ba902b7' }, error: { stack_trace: trace }, attributes: { id: 17 },
  }); // prettier-ignore
  const { '@mt': _, ...rendered } = compact;
  check(JSON.stringify({ ...rendered, '@m': 'order 17', '@i': 'f2b6d1c3' }), {
    time: '2026-01-02T03:04:05.678123400Z', level: 'error', message: 'order 17',
    error: { stack_trace: trace }, attributes: { '@i': 'f2b6d1c3', id: 17 },
  }); // prettier-ignore
  const full = { MessageTemplate: 'order {id}', Properties: { id: 17, SourceContext: 'Shop.Cart' }, TraceId: id };
  const time = '2026-01-02T03:04:05.6781234+00:00';
  check(JSON.stringify({ Timestamp: time, Level: 'Warning', ...full, RenderedMessage: 'order 17' }), {
    time: '2026-01-02T03:04:05.678123400Z', level: 'warn', message: 'order 17', log: { logger: 'Shop.Cart' },
    trace: { id }, attributes: { Level: 'Warning', MessageTemplate: 'order {id}', Properties: { id: 17 } },
  }); // prettier-ignore
  check('2026-01-02 03:04:05.6781|WARN|Shop.Cart|order 17 took 12.5', {
    level: 'warn', message: 'order 17 took 12.5', log: { logger: 'Shop.Cart' },
  }); // prettier-ignore
  check('2026-01-02 03:04:05 INFO user|17|login', { level: 'info', message: 'user|17|login' });
});

test('JSON behind a head', () => {
  check('2026-01-02T03:04:05Z ERROR {"a":1,"msg":"inner"}', {
    time: created, level: 'error', message: 'inner', attributes: { a: 1 },
  }); // prettier-ignore
  check('2026-01-02T03:04:05Z ERROR {"a":1}', {
    time: created,
    level: 'error',
    message: '{"a":1}',
    attributes: { a: 1 },
  });
});

test('colours are passed over, and stay in the message', () => {
  check('\u001b[32mINFO\u001b[0m hello \u001b[31mred\u001b[0m', {
    level: 'info',
    message: 'hello \u001b[31mred\u001b[0m',
  });
  const tracing =
    '\u001b[2m2026-01-02T03:04:05Z\u001b[0m \u001b[32m INFO\u001b[0m \u001b[2mshop::cart\u001b[0m\u001b[2m:\u001b[0m';
  check(`${tracing} x`, {
    time: created, level: 'info', message: 'x', log: { logger: 'shop::cart' },
  }); // prettier-ignore
  isMessage('\u001b[');
  isMessage('\u001b[31mred');
});

test('texts that only look like it are messages', () => {
  for (const line of [
    '', '\n', ' ', 'hello world', 'INFO', 'Error: something', '\tat com.foo.Bar(Bar.java:1)', '  INFO indented',
    '2026-01-02T03:04:05Z', '2026/01/02 03:04:05 hello go', '2026-13-02T03:04:05Z x', '2026-01-02T03:04:05 x',
    'info about it', 'error opening file', 'I am', 'Information: x', '[main] x', '12345 x', '03:04:05 x', '- x', '] x',
    'a:b:c',
    'GET /x 200',
  ]) isMessage(line); // prettier-ignore
});

test('access logs: the line is the message', () => {
  const line =
    '10.0.0.1 - bob [02/Jan/2026:03:04:05 +0000] "GET /cart?page=2 HTTP/1.1" 200 612 "https://shop/" "curl/8.1 \\"x"';
  check(line, {
    time: created, message: line, original: false, client: { ip: '10.0.0.1' }, user: { name: 'bob' },
    http: {
      version: '1.1', request: { method: 'GET', referrer: 'https://shop/' },
      response: { status_code: 200, body: { bytes: 612 } },
    },
    url: { original: '/cart?page=2' }, user_agent: { original: 'curl/8.1 \\"x' },
  }); // prettier-ignore
  const common = '::1 - - [02/Jan/2026:03:04:05 +0000] "-" 408 -';
  check(common, {
    time: created, message: common, original: false, client: { ip: '::1' }, http: { response: { status_code: 408 } },
  }); // prettier-ignore
  const request = (rest: object): object => ({
    http: { version: '1.1', request: { method: 'GET' }, response: { status_code: 200 } },
    url: { original: '/cart' },
    ...rest,
  });
  const uvicorn = '10.0.0.1:4711 - "GET /cart HTTP/1.1" 200 OK';
  check(`INFO:     ${uvicorn}`, {
    message: uvicorn,
    level: 'info',
    ...request({ client: { ip: '10.0.0.1', port: 4711 } }),
  });
  isMessage(uvicorn);
  const django = '[02/Jan/2026 03:04:05] "GET /cart HTTP/1.1" 200 -';
  check(django, { message: django, original: false, ...request({}) });
  isMessage('[02/Jan/2026 03:04:05] "GET /cart HTTP/1.1"');
  const host = 'shop.example:443 10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /cart HTTP/1.1" 200 -';
  check(host, {
    time: created, message: host, original: false,
    ...request({ client: { ip: '10.0.0.1' }, url: { original: '/cart', domain: 'shop.example' } }),
  }); // prettier-ignore
  isMessage(host.slice('shop.example'.length));
  const failed = '*1 failed, client: 10.0.0.1, server: , request: "GET /cart HTTP/1.1", host: "shop"';
  check(`2026/01/02 03:04:05 [error] 7#8: ${failed}`, {
    level: 'error', message: failed, process: { pid: 7, thread: { id: 8 } }, client: { ip: '10.0.0.1' },
    http: { version: '1.1', request: { method: 'GET' } }, url: { original: '/cart' },
  }); // prettier-ignore
  isMessage('10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1 200 612');
  isMessage('10.0.0.1 - - [02/Jan/2026] "GET / HTTP/1.1" 200 612');
  isMessage('10.0.0.1 - - "GET / HTTP/1.1" 200 612');
  isMessage('10.0.0.1');
});

test('Redis, Ruby, and priorities', () => {
  check('7:M 02 Jan 2026 03:04:05.678 * Ready to accept', {
    level: 'notice', message: 'Ready to accept', attributes: { level: '*' }, process: { pid: 7 },
  }); // prettier-ignore
  isMessage('7:M 02 Jan 2026 03:04:05.678 ? Ready');
  isMessage('7:X');
  check('I, [2026-01-02T03:04:05.123456 #7]  INFO -- shop: text: a', {
    level: 'info', message: 'text: a', process: { pid: 7, name: 'shop' },
  }); // prettier-ignore
  check('E, [2026-01-02T03:04:05.123456 #7] ERROR -- : text', { level: 'error', message: 'text', process: { pid: 7 } });
  isMessage('I, [2026-01-02T03:04:05.123456 #7]  INFO - text');
  check('<3>kernel: oops', { level: 'error', message: 'kernel: oops', attributes: { level: '3' } });
  check('<34>Jan  2 03:04:05 host su: x', {
    level: 'critical', message: 'x', attributes: { level: '34' }, host: { name: 'host' }, process: { name: 'su' },
  }); // prettier-ignore
  check('<34>1 2026-01-02T03:04:05Z host su 7 - - x', {
    level: 'critical', message: '1 2026-01-02T03:04:05Z host su 7 - - x', attributes: { level: '34' },
  }); // prettier-ignore
  check('7:signal-handler (1767323045) Received SIGTERM', {
    time: created, message: 'Received SIGTERM', process: { pid: 7 },
  }); // prettier-ignore
  isMessage('7:signal-handler (1767323045)');
  isMessage('7:signal-handler (x) y');
  check('A, [2026-01-02T03:04:05.123456 #7]   ANY -- shop: x', { message: 'x', process: { pid: 7, name: 'shop' } });
  isMessage('<192>x');
  isMessage('<p>x');
  isMessage('<3>');
});

test('a check notices what is read, and what is not', () => {
  assert.throws(() => isMessage('INFO x'));
  assert.throws(() => check('hello', { message: 'hello', level: 'info', original: false }));
});
