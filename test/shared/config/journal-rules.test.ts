// What `collect.journal` may say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';

function check(yaml: string, expected: RegExp | null): void {
  const load = () => loadConfig({ env: {}, file: 'f.yaml', readFile: () => `collect:\n  journal: ${yaml}\n` });
  if (expected === null) assert.equal(typeof load(), 'object');
  else assert.throws(load, expected);
}

test('rules of the journal', () => {
  check('{}', null);
  check('{units: [nginx, "docker*"], exclude: ["user@*"], priority: warning, scope: system, from: end, tag: a}', null);
  check('{priority: 4, directory: /var/log/journal}', null);
  check('{priority: notice..err, namespace: "*"}', null);
  check('{namespace: +web-1}', null);
  check('{units: [-f]}', /collect\.journal: "-f" begins with "-"/);
  check('{exclude: [--flush]}', /"--flush" begins with "-"/);
  check('{namespace: -x}', /"-x" begins with "-"/);
  check('{directory: -D}', /"-D" begins with "-"/);
  check('{directory: journal}', /"journal" is no absolute path/);
  check('{directory: "/a\\0b"}', /is no absolute path/);
  check('{namespace: a/b}', /"a\/b" is no namespace/);
  check('{namespace: a, directory: /b}', /leave out one of directory and namespace/);
  check('{priority: loud}', /priority "loud" is none of emerg/);
  check('{priority: 1..2..3}', /priority "1..2..3" is none/);
  check('{priority: "..3"}', /priority/);
  check('{priority: 8}', /priority/);
  check('{units: []}', /collect\.journal/);
  check('{scope: all}', /collect\.journal/);
  check('{unit: nginx}', /collect\.journal/);
});
