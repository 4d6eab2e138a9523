// Heads of lines that only some programs write, and what looks like them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, created, isMessage } from './lines.ts';

test('the rest of a head: functions, files and lines, threads next to loggers', () => {
  const line = (logger: string, number: number, more = {}): object => ({
    logger,
    origin: { file: { line: number }, ...more },
  });
  check('2026-01-02 03:04:05.678 | SUCCESS  | shop.cart:<module>:31 - x', {
    level: 'info', message: 'x', attributes: { level: 'SUCCESS' },
    log: line('shop.cart', 31, { function: '<module>' }),
  }); // prettier-ignore
  check('03:04:05.678 INFO c.s.Cart:8: x', { level: 'info', message: 'x', log: line('c.s.Cart', 8) });
  check('03:04:05.678 INFO db.local:5432: x', { level: 'info', message: 'db.local:5432: x' });
  check('2026-01-02T03:04:05Z  INFO shop::cart: src/main.rs:12: x', {
    time: created, level: 'info', message: 'x',
    log: { logger: 'shop::cart', origin: { file: { name: 'src/main.rs', line: 12 } } },
  }); // prettier-ignore
  check('2026-01-02T03:04:05Z\tINFO\tcart\tgm/main.go:12\tready\t{"port":80,"message":"no"}', {
    time: created, level: 'info', message: 'ready', attributes: { port: 80, message: 'no' },
    log: { logger: 'cart', origin: { file: { name: 'gm/main.go', line: 12 } } },
  }); // prettier-ignore
  check('2026-01-02T03:04:05Z\tINFO\tready\t{"port":80}', {
    time: created, level: 'info', message: 'ready', attributes: { port: 80 },
  }); // prettier-ignore
  check('2026-01-02T03:04:05Z\tinfo\tready', { time: created, level: 'info', message: 'ready' });
  check('2026-01-02T03:04:05Z info\tready', { time: created, message: 'info\tready' });
  check('2026-01-02T03:04:05Z INFO main.go:12 is odd', { time: created, level: 'info', message: 'main.go:12 is odd' });
  const main = { process: { thread: { name: 'main' } } };
  check('03:04:05,678 INFO  c.s.Cart [main] x', { level: 'info', message: 'x', log: { logger: 'c.s.Cart' }, ...main });
  check('02-Jan-2026 03:04:05.678 SEVERE [main] com.shop.Cart.place x', {
    level: 'error', message: 'x', log: { logger: 'com.shop.Cart.place' }, attributes: { level: 'SEVERE' }, ...main,
  }); // prettier-ignore
  check('2026-01-02T03:04:05Z  INFO 7 --- [         main] o.a.c.c.C.[Tomcat].[/]   : x', {
    time: created, level: 'info', message: 'x', log: { logger: 'o.a.c.c.C.[Tomcat].[/]' },
    process: { pid: 7, thread: { name: 'main' } },
  }); // prettier-ignore
  check('03:04:05,678 INFO list[7] : x', { level: 'info', message: 'x', log: { logger: 'list[7]' } });
  check('03:04:05,678 INFO list[7] x', { level: 'info', message: 'list[7] x' });
  check('03:04:05,678 INFO  example.org [main] x', { level: 'info', message: 'example.org [main] x' });
  check('[2026-01-02 03:04:05,678] INFO started (kafka.server.Server)', {
    level: 'info',
    message: 'started',
    log: { logger: 'kafka.server.Server' },
  });
  check('[2026-01-02 03:04:05,678] INFO (kafka.server.Server)', { level: 'info', message: '(kafka.server.Server)' });
  check('[2026-01-02 03:04:05,678] INFO see (example.org)', { level: 'info', message: 'see (example.org)' });
  check('03:04:05,678 INFO cast (java.lang.String)', { level: 'info', message: 'cast (java.lang.String)' });
});

test('heads of Celery, NestJS, PHP, MariaDB, RabbitMQ, HAProxy, and colours before a colon', () => {
  check('[2026-01-02 03:04:05,678: WARNING/ForkPoolWorker-1] x', {
    level: 'warn', message: 'x', attributes: { level: 'WARNING' }, process: { name: 'ForkPoolWorker-1' },
  }); // prettier-ignore
  isMessage('[2026-01-02 03:04:05,678: a/b] x');
  check('[Nest] 7  - 01/02/2026, 3:04:05 AM     LOG [Cart] x', {
    level: 'info', message: 'x', attributes: { level: 'LOG' }, process: { pid: 7 }, log: { logger: 'Cart' },
  }); // prettier-ignore
  check('\u001b[32m[Nest] 7  - \u001b[39m02.01.2026, 03:04:05 \u001b[31m  ERROR\u001b[39m x', {
    level: 'error',
    message: 'x',
    process: { pid: 7 },
  });
  isMessage('[Nest] 7  - 01/02/2026, 3:04:05 AM     LOG [Cart] ');
  isMessage('[Nest] 7  - 01/02/2026, 3:04:05 AM');
  isMessage('[Nest] x  - 01/02/2026, 3:04:05 AM LOG x');
  check('PHP Warning:  x', { level: 'warn', message: 'x', attributes: { level: 'Warning' } });
  check('[02-Jan-2026 04:04:05 Europe/Berlin] PHP Fatal error:  x', {
    level: 'critical', message: 'x', attributes: { level: 'Fatal error' },
  }); // prettier-ignore
  isMessage('PHP Something:  x');
  isMessage('PHP is here: x');
  check('2026-01-02  3:04:05 12 [Note] x', {
    level: 'notice', message: 'x', attributes: { level: 'Note' }, process: { thread: { id: 12 } },
  }); // prettier-ignore
  check('2026-01-02 03:04:05.678901+00:00 [info] <0.222.0> x', {
    time: '2026-01-02T03:04:05.678901Z', level: 'info', message: 'x', process: { thread: { name: '<0.222.0>' } },
  }); // prettier-ignore
  check('2026-01-02 03:04:05.678901+00:00 [info] <b> x', {
    time: '2026-01-02T03:04:05.678901Z',
    level: 'info',
    message: '<b> x',
  });
  check('[ALERT]    (7) : x', { level: 'alert', message: 'x', process: { pid: 7 } });
  check('[ALERT]    (7) x', { level: 'alert', message: '(7) x' });
  check('\u001b[31merror\u001b[39m: x', { level: 'error', message: 'x' });
  isMessage('\u001b[31merror\u001b[39m x');
});

test('files of syslog: host, program, process', () => {
  const host = { host: { name: 'web-1' } };
  check('Jan  2 03:04:05 web-1 sshd[7]: x', { message: 'x', process: { pid: 7, name: 'sshd' }, ...host });
  check('Jan  2 03:04:05 web-1 postfix/smtpd[7]: warning: x', {
    message: 'x', level: 'warn', attributes: { level: 'warning' }, process: { pid: 7, name: 'postfix/smtpd' }, ...host,
  }); // prettier-ignore
  check('Jan  2 03:04:05 web-1 kernel: x', { message: 'x', process: { name: 'kernel' }, ...host });
  check('Jan  2 03:04:05 dnsmasq[7]: x', { message: 'x', process: { pid: 7, name: 'dnsmasq' } });
  check('2026-01-02T03:04:05.000000+00:00 web-1 kernel: x', {
    time: created, message: 'x', process: { name: 'kernel' }, ...host,
  }); // prettier-ignore
  check('2026-01-02T03:04:05Z web-1 sshd[7]: x', {
    time: created, message: 'x', process: { pid: 7, name: 'sshd' }, ...host,
  }); // prettier-ignore
  // With a time that others write too, words may be those of a text.
  check('2026-01-02T03:04:05Z shop cart: x', { time: created, message: 'shop cart: x' });
  check('2026-01-02T03:04:05Z INFO cart[7]: x', { time: created, level: 'info', message: 'cart[7]: x' });
  isMessage('Jan  2 03:04:05 something: x');
  isMessage('Jan  2 03:04:05 web-1 some text');
  // Who shipped the line knows the host better.
  check(
    'Jan  2 03:04:05 web-1 kernel: x',
    { message: 'x', process: { name: 'kernel' }, host: { name: 'h' } },
    { host: 'h' },
  );
});

test('a check notices what is read of these, and what is not', () => {
  assert.throws(() => isMessage('PHP Warning:  x'));
  assert.throws(() => isMessage('Jan  2 03:04:05 web-1 sshd[7]: x'));
  assert.throws(() => check('Jan  2 03:04:05 something: x', { message: 'x', process: { name: 'something' } }));
});
