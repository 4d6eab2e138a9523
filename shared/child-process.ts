// Child processes of our own program. From the sources a child is a module beside the one that starts it. What users
// run is one file, bundled or a single executable: the child is that file once more, told by its first arguments which
// module to be (runChildModule).
//
// Guarantees: a child has a channel to its parent and nothing else of it: no environment, so no secrets, and no output.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { isSea } from 'node:sea';

/** Put there by the build, see sqlite/worker-thread.ts. */
declare const BUNDLED_WORKERS: Readonly<Record<string, string>> | undefined;

/** The first argument of a child. */
const CHILD = '(child)';

/** Without these some systems start no program. */
const ENVIRONMENT_KEPT = ['PATH', 'LD_LIBRARY_PATH', 'SystemRoot'];

/**
 * Starts the module `<name>.ts` beside the module `moduleUrl` (give `import.meta.url`). What cannot be started says so
 * by 'error' or 'exit'.
 */
export function startChild(name: string, moduleUrl: string): ChildProcess {
  const env: NodeJS.ProcessEnv = {};
  for (const variable of ENVIRONMENT_KEPT) {
    const value = process.env[variable];
    if (value !== undefined) env[variable] = value;
  }
  const forked = (module: string, args: string[]): ChildProcess =>
    fork(module, args, { env, execArgv: [], serialization: 'advanced', stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  if (typeof BUNDLED_WORKERS === 'undefined') return forked(fileURLToPath(new URL(`./${name}.ts`, moduleUrl)), []);
  // A single executable takes no name of a module.
  return isSea() ? forked(CHILD, [name]) : forked(import.meta.filename, [CHILD, name]);
}

/**
 * Whether this process was started as a child; `modules`: how each is loaded. Throws where there is none of the name.
 */
export async function runChildModule(
  [first, name = '']: readonly string[],
  modules: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<boolean> {
  if (first !== CHILD || process.send === undefined) return false;
  if (!Object.hasOwn(modules, name)) throw new Error(`no child ${name}`);
  await modules[name]?.();
  return true;
}
