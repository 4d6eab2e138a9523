// Which tests a change reaches, case by case, in a small tree that has one of each way in which files name each other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseTests } from './choose.ts';

const TEXTS: Readonly<Record<string, string>> = {
  'shared/clock.ts': 'export const clock = 1;',
  'shared/queue/queue-worker.ts': "import { clock } from '../clock.ts';",
  'shared/queue/queue.ts': "startWorker('queue-worker', import.meta.url);",
  'services/forwarder/intake/chunk.ts': "export type Chunk = { kind: 'chunk' };",
  'services/forwarder/intake/intake.ts':
    "import type {\n  Chunk,\n} from './chunk.ts';\nimport { queue } from '#shared/queue/queue.ts';",
  'services/sluice/main.ts': "const run = () => import('#forwarder/intake/intake.ts');",
  'infra/build/bundle.ts': "const entryPoints = ['services/sluice/main.ts'];",
  'test/bench/queue.ts': "import { queue } from '#shared/queue/queue.ts';",
  'test/clock.test.ts': "import { clock } from '#shared/clock.ts';",
  'test/intake.test.ts': "import '#forwarder/intake/intake.ts';",
  'test/program.ts': "const program = join(import.meta.dirname, '../services/sluice/main.ts');",
  'test/program.test.ts': "import './program.ts';",
  'test/package.test.ts': "const program = join(root, 'dist/sluice.js');",
  'test/references.test.ts': "const pages = ['docs/errors.md'];",
  'test/rules.test.ts': 'const text = readFileSync(`infra/prometheus/${name}.yaml`);',
  'test/sender.test.ts': "fork(join(import.meta.dirname, 'sender.ts'));",
  'test/sender.ts': 'send();',
  'test/words.test.ts': "// As 'docs/errors.md' has it.\nconst words = ['docs', 'infra'];",
};
const DATA = ['README.md', 'docs/errors.md', 'infra/prometheus/rules.yaml', 'infra/systemd/sluice.service'];
const TESTS = Object.keys(TEXTS).filter((file) => file.endsWith('.test.ts'));

/** The tests' names without path and ending; `all`; or `none`. */
function chosen(...changed: string[]): string {
  const texts = new Map(Object.entries(TEXTS).filter(([file]) => !file.includes('gone')));
  const files = [...texts.keys(), ...DATA, ...changed];
  const choice = chooseTests({ changed, tests: TESTS, files, texts });
  if (choice.kind === 'all') return 'all';
  return [...choice.tests.keys()].map((file) => file.replace(/^test\/|\.test\.ts$/g, '')).join(' ') || 'none';
}

function check(changed: string | readonly string[], expected: string): void {
  test(`${String(changed)} → ${expected}`, () => assert.equal(chosen(...[changed].flat()), expected));
}

// A test itself; what it imports, at any distance; what it starts as a program, of the sources or built.
check('test/clock.test.ts', 'clock');
check('services/sluice/main.ts', 'package program');
check('services/forwarder/intake/intake.ts', 'intake package program');
check('shared/queue/queue.ts', 'intake package program');
check('shared/queue/queue-worker.ts', 'intake package program');
check('shared/clock.ts', 'clock intake package program');
check('test/program.ts', 'program');
check('test/sender.ts', 'sender');
check('infra/build/bundle.ts', 'package');
// Nothing of an import of types runs.
check('services/forwarder/intake/chunk.ts', 'none');
// Data that a test names, or whose folder it names; prose and modules that no test needs.
check('docs/errors.md', 'references');
check('infra/prometheus/rules.yaml', 'rules');
check('README.md', 'none');
check('test/bench/queue.ts', 'none');
check(['README.md', 'test/sender.ts', 'docs/errors.md'], 'references sender');
check([], 'none');
// New, and gone.
check('test/new.ts', 'none');
check('shared/gone.ts', 'none');
// What imports cannot tell.
check('package.json', 'all');
check('package-lock.json', 'all');
check('tsconfig.json', 'all');
check('test/run.ts', 'all');
check('test/changed/choose.ts', 'all');
check('test/fixtures/forward/docker.bin', 'all');
check('infra/systemd/sluice.service', 'all');
check(['test/sender.ts', 'package.json'], 'all');

test('each chosen test comes with the change that it reaches, and what no test reaches is named', () => {
  const texts = new Map(Object.entries(TEXTS));
  const files = [...texts.keys(), ...DATA];
  const changed = ['README.md', 'shared/queue/queue.ts', 'test/intake.test.ts'];
  const choice = chooseTests({ changed, tests: TESTS, files, texts });
  assert.deepEqual(choice, {
    kind: 'some',
    tests: new Map([
      ['test/intake.test.ts', 'shared/queue/queue.ts'],
      ['test/package.test.ts', 'shared/queue/queue.ts'],
      ['test/program.test.ts', 'shared/queue/queue.ts'],
    ]),
    unreached: ['README.md'],
  });
});

test('a module that is gone is reached by who still names it', () => {
  const texts = new Map([['test/a.test.ts', "import './gone.ts';"]]);
  const files = ['test/a.test.ts', 'test/gone.ts'];
  const choice = chooseTests({ changed: ['test/gone.ts'], tests: ['test/a.test.ts'], files, texts });
  assert.equal(choice.kind === 'some' && choice.tests.get('test/a.test.ts'), 'test/gone.ts');
});
