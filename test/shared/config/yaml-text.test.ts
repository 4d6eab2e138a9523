// A file with secrets that cannot be read tells why and where, and nothing of its text.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readYamlFile } from '#shared/config/yaml-file.ts';
import { parseYaml } from '#shared/config/yaml-text.ts';
import { tree } from '#shared/config/settings/setting-kinds.ts';
import { Type } from 'typebox';

const SECRET = 'hunter2Hunter2';

function check(text: string, expected: RegExp): void {
  assert.throws(
    () => parseYaml(text),
    ({ message, cause, stack }: Error) => {
      assert.match(message, expected);
      assert.doesNotMatch(`${message} ${String(cause)} ${stack}`, new RegExp(SECRET));
      return true;
    },
  );
}

test('why it is no YAML', () => {
  check(`token: *${SECRET}`, /^a value that begins with \* is an alias, and names no anchor; put it in quotes$/);
  check(`- *${SECRET} x`, /^it is no YAML: unexpected token at line 1, column 19$/);
  check(`a: 1\nb: "${SECRET}`, /^it is no YAML: missing char at line 2, /);
  check(`a: @${SECRET}`, /^it is no YAML: bad scalar start at line 1, column 4$/);
  check(`a: [${SECRET}, b`, /^it is no YAML: bad indent at line 1, /);
  check(`${SECRET}: 1\n${SECRET}: 2`, /^it is no YAML: duplicate key at line 2, column 1$/);
});

test('what is YAML is read as it is, and nothing is warned of', () => {
  const warned: Error[] = [];
  const listener = (warning: Error): void => void warned.push(warning);
  process.on('warning', listener);
  assert.deepEqual(parseYaml('a: [1, x]\nb: {c: null}'), { a: [1, 'x'], b: { c: null } });
  assert.equal(parseYaml(`!tag ${SECRET}`), SECRET);
  return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    process.off('warning', listener);
    assert.deepEqual(warned, []);
  });
});

test('no text shows its secret, whatever stands around it', () => {
  const around = fc.string({ unit: fc.constantFrom(...Array.from('*&!|>@`%"\'[]{}:,-#? \n\ta')) });
  fc.assert(
    fc.property(around, around, (before, after) => {
      try {
        parseYaml(before + SECRET + after);
      } catch (error) {
        assert.doesNotMatch(String(error), new RegExp(SECRET));
      }
    }),
  );
});

test('a file of tokens tells where its mistake is', () => {
  const { schema } = tree(Type.Array(Type.String()), 'x', {});
  assert.throws(() => readYamlFile('tokens.yaml', schema, { readFile: () => `- *${SECRET}`, empty: [] }), {
    message: /^tokens\.yaml: cannot be read: a value that begins with \* is an alias/,
  });
});
