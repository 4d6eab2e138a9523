// The flags of V8 that Sluice runs with. They belong into the command that starts Node, for V8 reads some only then.
//
//   npm start, the image, the systemd unit     the command says them
//   npm run build:sea                          the executable has them inside (execArgv)
//   launch.js, where it starts another Node    it passes them on
//   workers                                    their primary does (workers/primary.ts)
//
// Where none of these starts Node they are set in the running VM: in launch.js on a Node that will do, whose first line
// cannot have them (`env -S` is unknown to busybox and old systems), and for who types `node dist/sluice.js` alone.
// Worker threads share the flags of their process. On Lambda Node is started by its runtime; NODE_OPTIONS refuses the
// first flag, and nothing needs the second.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Marks the heap in one go rather than in steps beside the program. Each 64 MB of buffers that come and go make V8
 * search for those that are free, twenty times a second at full load. The heap itself is 15 MB, which is marked in a few
 * milliseconds. In steps, with write barriers and helper threads that start again each time, it took a third of the
 * forwarder's CPU time and a tenth of the indexer's.
 */
const MARK_AT_ONCE = '--no-incremental-marking';

/** For `collect`. */
const EXPOSE_COLLECTOR = '--expose-gc';

/** A test holds package.json, the Dockerfile, the systemd unit and launch.js to these. */
export const V8_FLAGS: readonly string[] = [MARK_AT_ONCE, EXPOSE_COLLECTOR];

/** What Node is to be started with where this process starts itself again: its own options, and the flags. */
export function nodeOptions(): string[] {
  return [...process.execArgv, ...V8_FLAGS.filter((flag) => !process.execArgv.includes(flag))];
}

/** Marks the heap in one go from now on, also where nobody said so at the start. */
export function markAtOnce(): void {
  if (!process.execArgv.includes(MARK_AT_ONCE)) setFlagsFromString(MARK_AT_ONCE);
}

/** Collects all garbage, and gives back what it can. Takes about 30 ms. */
export function collect(): void {
  const collector = globalThis.gc ?? exposedCollector();
  collector({ type: 'major', flavor: 'last-resort' });
}

/** The documented way to the collector of a process that was started without the flag. */
function exposedCollector(): NodeJS.GCFunction {
  setFlagsFromString(EXPOSE_COLLECTOR);
  const collector = runInNewContext('gc') as NodeJS.GCFunction;
  setFlagsFromString('--no-expose-gc');
  return collector;
}
