// Two halves of the machine's processors, so that a server under load and what loads it do not take them from each
// other: beside a server that has the whole machine, whoever sends to it is measured by how little it needs itself.

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** As of the start: afterwards Node counts those alone that it may use. */
const availableProcessors = availableParallelism();

/** As taskset has them. */
export interface Halves {
  readonly server: string;
  readonly others: string;
}

/** Null where there is a single processor, or where taskset is missing or may not choose. */
export function halvesOfMachine(): Halves | null {
  const half = availableProcessors >> 1;
  if (half === 0) return null;
  const halves = { server: `0-${half - 1}`, others: `${half}-${availableProcessors - 1}` };
  const mayUse = (processors: string): boolean => spawnSync('taskset', ['-c', processors, 'true']).status === 0;
  return mayUse(halves.server) && mayUse(halves.others) ? halves : null;
}

/** This process, and what it starts meanwhile, is on these processors only. */
export function movedTo(processors: string): Disposable {
  move(processors);
  return { [Symbol.dispose]: () => move(`0-${availableProcessors - 1}`) };
}

function move(processors: string): void {
  const { status, stderr } = spawnSync('taskset', ['-acp', processors, String(process.pid)], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`Cannot use the processors ${processors} alone: ${stderr}`);
}
