// The flags of V8 that Sluice runs with. The command that starts Node sets them, as V8 wants it:
//
//   npm start, the image, the systemd unit     in the command
//   npm run build:sea                          inside the executable (execArgv)
//   launch.js, where it starts another Node    in that command
//   workers                                    by their primary (workers/primary.ts)
//
// Otherwise they are set in the running VM: where launch.js goes on in the Node of the PATH, since its first line
// cannot have options (busybox knows no `env -S`), and where people start `node dist/sluice.js` themselves. Worker
// threads share the flags of their process. On Lambda the runtime starts Node, and NODE_OPTIONS refuses the first flag.
// The child that opens suspect records has none of its own (in the single executable it has those inside): it handles a
// few records and ends.

import { setFlagsFromString } from 'node:v8';

/**
 * Marks the heap in one go rather than in steps beside the program. It has 15 MB and is marked in ten milliseconds.
 * Steps, with write barriers and helper threads that start again each time, took a third of the forwarder's CPU time,
 * and a tenth of the indexer's.
 */
const MARK_AT_ONCE = '--no-incremental-marking';

/**
 * MiB of either half of the young generation. With V8's own choice, four times as much, a forwarder with 5,000
 * connections had 100 MiB more, and twice as many turns of more than 20 ms: what survives is copied in one go. No
 * difference was found in events per CPU-second. Has no effect in a running VM.
 */
const SMALL_YOUNG_GENERATION = '--max-semi-space-size=4';

/**
 * Buffers that nobody has any more are searched for by shared/memory/buffer-garbage.ts. V8 itself would mark the whole
 * heap after each 64 MB of buffers that came, though most of them went with the young generation: a sixth of a
 * forwarder's CPU time. Has no effect in a running VM: V8 has begun to count in its own way.
 */
const BUFFERS_BY_US = '--external-memory-accounted-in-global-limit';

/** For shared/memory/garbage.ts. */
const EXPOSE_COLLECTOR = '--expose-gc';

/** A test holds package.json, the Dockerfile, the systemd unit and launch.js to these. */
export const V8_FLAGS: readonly string[] = [MARK_AT_ONCE, SMALL_YOUNG_GENERATION, BUFFERS_BY_US, EXPOSE_COLLECTOR];

/** Node's options for another process of the same program: those of this one, and the flags. */
export function nodeOptions(): string[] {
  return [...process.execArgv, ...V8_FLAGS.filter((flag) => !process.execArgv.includes(flag))];
}

/** Marks the heap in one go from now on, also where the flag was not set at launch. */
export function markAtOnce(): void {
  if (!process.execArgv.includes(MARK_AT_ONCE)) setFlagsFromString(MARK_AT_ONCE);
}
