// What `collect.files` may say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';

function check(yaml: string, expected: RegExp | null): void {
  const load = () => loadConfig({ env: {}, file: 'f.yaml', readFile: () => `collect:\n  files: ${yaml}\n` });
  if (expected === null) assert.ok(Array.isArray(load()['collect.files']));
  else assert.throws(load, expected);
}

test('rules of files', () => {
  check('[]', null);
  check('[{include: [/var/log/*.log]}]', null);
  check('[{include: [/a/**], exclude: ["*.gz", /a/b/*], tag: t, from: end, encoding: utf-16le}]', null);
  check('[{include: [logs/*.log]}]', /collect\.files\.0: "logs\/\*\.log" is no absolute path/);
  check('[{include: [/var/log/]}]', /is a folder; its files are "\/var\/log\/\*"/);
  check('[{include: []}]', /collect\.files/);
  check('[{exclude: [a]}]', /collect\.files/);
  check('[{include: [/a], from: middle}]', /collect\.files/);
  check('[{include: [/a], form: end}]', /no known key/);
  check('[{include: [/a], encoding: klingon}]', /encoding "klingon" is not known/);
  check('[{include: [/a], encoding: iso-2022-jp}]', /is not known/);
});
