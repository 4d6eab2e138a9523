// The processes that started this one and wait for it: launch.js where the Node of the PATH is too old, and npm (`npm
// start`, `npx`) with the shells between. None of them passes every signal on, and SIGKILL cannot be passed on: without
// a watch a killed `npx sluice run` leaves a Sluice behind that holds the data folder and the ports.
//
//   npm start ── sh -c … ── launch.js ── this process        each link is looked at: a child whose parent died gets another one
//
// Guarantees: what no npm and no launch.js started (systemd, nohup, a shell) is never watched; nor is what leads a
// session of its own (`setsid`), which is how a script of npm leaves a Sluice running on purpose. Without /proc only
// the parent is seen.

import { readFileSync } from 'node:fs';

/** Above this many shells in a row something else is going on. */
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
 * What the environment tells of who started this process. launch.js names itself by SLUICE_LAUNCHER, which is taken
 * out, so that no process that this one starts takes it for its own.
 */
export function extractStartedBy(env: NodeJS.ProcessEnv): StartedBy {
  const launcher = Number(env['SLUICE_LAUNCHER'] ?? Number.NaN);
  delete env['SLUICE_LAUNCHER'];
  return { launcher: Number.isInteger(launcher) ? launcher : undefined, npm: env['npm_lifecycle_event'] !== undefined };
}

/** Returns a question: whether all who started this process are still there. */
export function parentsAlive({ launcher, npm }: StartedBy, facts: ProcessFacts = systemFacts): () => boolean {
  // launch.js has died before this process looked.
  if (launcher !== undefined && facts.parent() !== launcher) return () => false;
  const own = launcher === undefined ? [facts.pid] : [facts.pid, launcher];
  const chain = npm ? [...own, ...shellsAndNpm(own.at(-1) ?? 0, facts)] : own;
  return () => chain.slice(1).every((parent, i) => parentOf(chain[i] ?? 0, facts) === parent);
}

/** From the parent of `child` on: shells, up to the first that is none. */
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
