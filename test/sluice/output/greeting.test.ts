// What is printed at the start: what is there, and what to try next.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { greeting } from '../../../services/sluice/output/greeting.ts';

const addresses = { forward: ':1', http: ':2', syslog: [], gelf: [], admin: ':3', read: null };

/** Of the lines that may be there: two words of each. */
function check(files: readonly string[], expected: readonly string[]): void {
  const config = loadConfig({ env: {}, readFile: () => '' });
  const rules = files.length === 0 ? {} : { 'collect.files': [{ include: [...files] }] };
  const lines = greeting({ ...config, ...rules }, addresses).matchAll(
    /^ {2}(Files .*|docker run|curl|npx sluice .*)/gm,
  );
  assert.deepEqual([...lines].map(([, line]) => line), expected); // prettier-ignore
}

test('who has log files is told which, and needs no lines to try', () => {
  check([], ['docker run', 'curl', 'npx sluice logs -f']);
  check(['/var/log/*.log'], ['Files     /var/log/*.log', 'npx sluice logs -f']);
  check(['/a', '/b', '/c', '/d', '/e'], ['Files     /a, /b, /c, and 2 more', 'npx sluice logs -f']);
});
