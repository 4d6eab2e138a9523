// The processes that started this one and wait for it: launch.js where the Node of the PATH is too old, and npm (`npm
// start`, `npx`) with the shells between. None of them forwards every signal, and SIGKILL cannot be forwarded. Without
// a watch a killed `npx sluice run` would leave a Sluice behind that has the data folder and the ports.
//
//   npm start ── sh -c … ── launch.js ── this process
//
// Each link is checked: a child whose parent died gets another parent.
//
// Guarantees: a process that neither npm nor launch.js started (systemd, nohup, a shell) is never watched. Nor is one
// that leads a session of its own (`setsid`), which is how a script of npm leaves a Sluice running on purpose. Without
// /proc only the parent is seen.

import { readFileSync } from 'node:fs';

/** More shells in a row than this are none that npm started. */
const LINKS_MAX = 16;
const SHELLS = new Set(['sh', 'dash', 'bash', 'ash', 'busybox', 'zsh', 'ksh', 'mksh', 'fish']);

export interface ProcessFacts {
  readonly pid: number;
  /** As of now. */
  parent(): number;
  /** `/proc/<pid>/stat`; undefined where there is none. */
  stat(pid: number): string | undefined;
}

export interface StartedBy {
  /** The pid of launch.js, if it made this process. */
  readonly launcher: number | undefined;
  readonly npm: boolean;
}

const systemFacts: ProcessFacts = {
  pid: process.pid,
  parent: () => process.ppid,
  stat(pid) {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'utf8');
    } catch {
      return undefined;
    }
  },
};

/**
 * Who started this process, by its environment. launch.js names itself by SLUICE_LAUNCHER, which is removed, so that no
 * process that this one starts takes launch.js for its own parent.
 */
export function extractStartedBy(env: NodeJS.ProcessEnv): StartedBy {
  const launcher = Number(env['SLUICE_LAUNCHER'] ?? Number.NaN);
  delete env['SLUICE_LAUNCHER'];
  return { launcher: Number.isInteger(launcher) ? launcher : undefined, npm: env['npm_lifecycle_event'] !== undefined };
}

/** Returns a function that tells whether all parent processes are still alive. */
export function parentsAlive({ launcher, npm }: StartedBy, facts: ProcessFacts = systemFacts): () => boolean {
  // launch.js has died before this process looked.
  if (launcher !== undefined && facts.parent() !== launcher) return () => false;
  const own = launcher === undefined ? [facts.pid] : [facts.pid, launcher];
  const chain = npm ? [...own, ...shellsAndNpm(own.at(-1) ?? 0, facts)] : own;
  return () => chain.slice(1).every((parent, i) => parentOf(chain[i] ?? 0, facts) === parent);
}

/** From the parent of `child` on: shells, up to the first process that is none. */
function shellsAndNpm(child: number, facts: ProcessFacts): number[] {
  const found: number[] = [];
  for (let pid = child; found.length < LINKS_MAX;) {
    const stat = readStat(facts, pid);
    const parent = parentOf(pid, facts);
    if (parent === undefined || parent <= 1 || (stat !== undefined && stat.session === pid)) break;
    found.push(parent);
    if (!SHELLS.has(readStat(facts, parent)?.command ?? '')) break;
    pid = parent;
  }
  return found;
}

function parentOf(pid: number, facts: ProcessFacts): number | undefined {
  return pid === facts.pid ? facts.parent() : readStat(facts, pid)?.parent;
}

interface Stat {
  readonly command: string;
  readonly parent: number;
  readonly session: number;
}

/**
 * `123 (sh) S 122 123 120 …`: the command may hold blanks and parentheses.
 * https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
function readStat(facts: ProcessFacts, pid: number): Stat | undefined {
  const match = /^\d+ \((.*)\) \S (\d+) \d+ (\d+) /s.exec(facts.stat(pid) ?? '');
  if (!match) return undefined;
  return { command: match[1] ?? '', parent: Number(match[2]), session: Number(match[3]) };
}
