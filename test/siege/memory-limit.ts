// A limit of memory for one process, by a control group of its own, as a container has it: the kernel ends what goes
// beyond it, and Node sizes its heap after it. Where no group can be made (not root, no controller) there is only a
// limit of the heap.

import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MIB = 1024 * 1024;
const root = '/sys/fs/cgroup';
/** What Node takes for its heap, about, where a container has so much. */
const HEAP_SHARE = 0.5;

export class MemoryLimit implements Disposable {
  /** For people. */
  readonly how: string;
  /** What runs a command under the limit, to be put before it. */
  readonly wrapper: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  readonly #group: string | null;

  constructor(name: string, bytesMax: number) {
    const { group, how } = makeGroup(`sluice-siege-${process.pid}-${name}`, bytesMax);
    this.#group = group;
    this.how = how;
    this.environment =
      group === null ? { NODE_OPTIONS: `--max-old-space-size=${Math.floor((bytesMax * HEAP_SHARE) / MIB)}` } : {};
    this.wrapper = [
      'sh',
      '-c',
      'echo $$ > "$0" && exec "$@"',
      group === null ? '/dev/null' : join(group, 'cgroup.procs'),
    ];
  }

  [Symbol.dispose](): void {
    if (this.#group === null) return;
    try {
      rmdirSync(this.#group);
    } catch {
      // Its process has not ended yet. An empty group costs nothing.
    }
  }
}

interface Group {
  readonly group: string | null;
  readonly how: string;
}

function makeGroup(name: string, bytesMax: number): Group {
  const own = readFileSync('/proc/self/cgroup', 'utf8');
  const v1 = /^\d+:memory:(.*)$/m.exec(own)?.[1];
  const v2 = /^0::(.*)$/m.exec(own)?.[1] ?? '/';
  try {
    if (v1 !== undefined) {
      const group = join(root, 'memory', v1, name);
      mkdirSync(group);
      writeFileSync(join(group, 'memory.limit_in_bytes'), String(bytesMax));
      return { group, how: 'control group v1' };
    }
    const parent = join(root, v2);
    writeFileSync(join(parent, 'cgroup.subtree_control'), '+memory');
    const group = join(parent, name);
    mkdirSync(group);
    writeFileSync(join(group, 'memory.max'), String(bytesMax));
    writeFileSync(join(group, 'memory.swap.max'), '0');
    return { group, how: 'control group v2' };
  } catch (error) {
    return { group: null, how: `a limit of the heap alone: ${String(error)}` };
  }
}
