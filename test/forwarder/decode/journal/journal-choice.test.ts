import assert from 'node:assert/strict';
import { test } from 'node:test';
import { journalChoice } from '#forwarder/decode/journal/journal-choice.ts';
import { type JournalRule, prioritiesOf } from '#shared/config/settings/journal-rules.ts';

function check(rule: JournalRule, fields: Readonly<Record<string, string>>, isWanted: boolean): void {
  const entry = Object.entries(fields).map(([name, value]) => ({ name, value: Buffer.from(value) }));
  const choice = journalChoice({ ...rule, priorities: prioritiesOf(rule.priority) });
  assert.equal(choice(entry), isWanted, JSON.stringify([rule, fields]));
}

test('units, by name and by pattern', () => {
  const nginx = { _SYSTEMD_UNIT: 'nginx.service', _SYSTEMD_SLICE: 'system.slice' };
  check({}, {}, true);
  check({}, nginx, true);
  check({ units: ['nginx'] }, nginx, true);
  check({ units: ['nginx.service'] }, nginx, true);
  check({ units: ['nginx.socket'] }, nginx, false);
  check({ units: ['ngin'] }, nginx, false);
  check({ units: ['ng*'] }, nginx, true);
  check({ units: ['ng?nx.*'] }, nginx, true);
  check({ units: ['*.socket'] }, nginx, false);
  check({ units: ['{db,nginx}.service'] }, nginx, true);
  check({ units: ['db', 'nginx'] }, nginx, true);
  check({ units: ['system.slice'] }, nginx, true);
  check({ units: ['nginx.conf'] }, { _SYSTEMD_UNIT: 'nginx.conf.service' }, true);
  check({ units: ['app'] }, { _SYSTEMD_UNIT: 'user@1.service', _SYSTEMD_USER_UNIT: 'app.service' }, true);
  check({ units: ['*'] }, { _TRANSPORT: 'kernel' }, false);
});

test('what is left out', () => {
  check({ exclude: ['user@*'] }, { _SYSTEMD_UNIT: 'user@1.service', _SYSTEMD_USER_UNIT: 'app.service' }, false);
  check({ exclude: ['user@*'] }, { _SYSTEMD_UNIT: 'nginx.service' }, true);
  check({ exclude: ['user@*'] }, { _TRANSPORT: 'kernel' }, true);
  check({ units: ['web*'], exclude: ['web-debug'] }, { _SYSTEMD_UNIT: 'web-debug.service' }, false);
  check({ exclude: [] }, {}, true);
});

test('what systemd and root say of a unit counts, what others say does not', () => {
  const said = (name: string, by: Record<string, string>) => ({
    _SYSTEMD_UNIT: 'a.service',
    [name]: 'b.service',
    ...by,
  });
  check({ units: ['b'] }, said('UNIT', { _PID: '1' }), true);
  check({ units: ['b'] }, said('UNIT', { _PID: '2' }), false);
  check({ units: ['b'] }, said('UNIT', { PID: '1' }), false);
  check({ exclude: ['b'] }, said('UNIT', { _PID: '11' }), true);
  check({ units: ['b'] }, said('COREDUMP_UNIT', { _UID: '0' }), true);
  check({ exclude: ['b'] }, said('OBJECT_SYSTEMD_UNIT', { _UID: '1000' }), true);
  check({ exclude: ['b'] }, said('USER_UNIT', { _UID: '0' }), true);
});

test('priorities', () => {
  const rows: [JournalRule['priority'], string[]][] = [
    ['warning', ['0', '1', '2', '3', '4']],
    [4, ['0', '1', '2', '3', '4']],
    ['4', ['0', '1', '2', '3', '4']],
    [0, ['0']],
    ['notice..err', ['3', '4', '5']],
    ['3..5', ['3', '4', '5']],
    ['debug', ['0', '1', '2', '3', '4', '5', '6', '7']],
  ];
  for (const [priority = '', wanted] of rows) {
    for (const number of ['0', '1', '2', '3', '4', '5', '6', '7'])
      check({ priority }, { PRIORITY: number }, wanted.includes(number));
    check({ priority }, {}, false);
    check({ priority }, { PRIORITY: '8' }, false);
    check({ priority }, { PRIORITY: 'x' }, false);
  }
});
