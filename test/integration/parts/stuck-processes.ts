// What processes do that ought to have done something else by now, for the message of a failed test: state, what each
// thread waits for in the kernel, and the sockets and files that are open. Linux only.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Some lines for each process. */
export function stuckProcesses(pids: Iterable<number>): string {
  return [...pids].map(stuckProcess).join('\n');
}

function stuckProcess(pid: number): string {
  const folder = `/proc/${pid}`;
  const command = read(`${folder}/cmdline`).replaceAll('\0', ' ');
  const state = /^State:.*/m.exec(read(`${folder}/status`))?.[0] ?? 'gone';
  const parent = /^PPid:.*/m.exec(read(`${folder}/status`))?.[0] ?? '';
  const threads = list(`${folder}/task`).map((thread) => {
    const of = `${folder}/task/${thread}`;
    return `${read(`${of}/comm`)}:${read(`${of}/wchan`)}`;
  });
  const open = list(`${folder}/fd`).map((fd) => `${fd} ${link(`${folder}/fd/${fd}`)}`);
  return `${pid} ${command} ${state} ${parent}\n  threads ${threads.join(' ')}\n  open ${open.join(', ')}`;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '?';
  }
}
