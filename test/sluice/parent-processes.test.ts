// Who is watched, for each way in which Sluice is started; and what ends it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parentsAlive, type StartedBy, extractStartedBy } from '../../services/sluice/process/parent-processes.ts';

/** Processes as [pid, command, parent, session]; the last is this one. */
type Processes = readonly (readonly [pid: number, command: string, parent: number, session: number])[];

const npmStart: Processes = [
  [10, 'npm (start) x', 5, 5],
  [11, 'sh', 10, 5],
  [12, 'bash', 11, 5],
  [13, 'node', 12, 5],
];
const withLauncher: Processes = [...npmStart.slice(0, 3), [13, 'node', 12, 5], [14, 'node', 13, 5]];
const daemon: Processes = [
  [10, 'npm exec', 5, 5],
  [11, 'sh', 10, 5],
  [13, 'node', 11, 13],
];
const inContainer: Processes = [
  [1, 'npm start', 0, 1],
  [13, 'node', 1, 1],
];

function check(
  title: string,
  processes: Processes,
  startedBy: StartedBy,
  expected: { readonly endsWith: readonly number[]; readonly isAlone?: boolean; readonly hasProc?: boolean },
): void {
  test(title, () => {
    const own = processes.at(-1)?.[0] ?? 0;
    /** Whether it goes on when a process has died, whose children get another parent. */
    const isThereWithout = (died: number): boolean => {
      let dead = 0;
      const rows = () =>
        processes.map(([pid, command, parent, session]) => ({
          pid,
          command,
          session,
          parent: parent === dead ? 1 : parent,
        }));
      const areAlive = parentsAlive(startedBy, {
        pid: own,
        parent: () => rows().at(-1)?.parent ?? 0,
        stat(pid) {
          const row = expected.hasProc === false ? undefined : rows().find((each) => each.pid === pid && pid !== dead);
          return row && `${pid} (${row.command}) S ${row.parent} ${pid} ${row.session} 0 -1`;
        },
      });
      if (expected.isAlone !== true) assert.equal(areAlive(), true, 'while all are there');
      dead = died;
      return areAlive();
    };
    const others = processes.slice(0, -1).map(([pid]) => pid);
    assert.deepEqual(
      others.filter((pid) => !isThereWithout(pid)),
      expected.endsWith,
    );
  });
}

const byNpm = { npm: true, launcher: undefined };
check('npm start: npm and each shell below it', npmStart, byNpm, { endsWith: [10, 11, 12] });
check('by launch.js and npm', withLauncher, { npm: true, launcher: 13 }, { endsWith: [10, 11, 12, 13] });
check('by launch.js alone', withLauncher, { npm: false, launcher: 13 }, { endsWith: [13] });
check('launch.js died at once', npmStart, { npm: false, launcher: 9 }, { endsWith: [10, 11, 12], isAlone: true });
check('nobody that waits for it', npmStart, { npm: false, launcher: undefined }, { endsWith: [] });
check('a session of its own', daemon, byNpm, { endsWith: [] });
check('npm is the first process of a container', inContainer, byNpm, { endsWith: [] });
check('without /proc: the parent', npmStart, byNpm, { endsWith: [12], hasProc: false });

test('launch.js is told of once', () => {
  const env = { SLUICE_LAUNCHER: '13', npm_lifecycle_event: 'start' };
  assert.deepEqual(extractStartedBy(env), { launcher: 13, npm: true });
  assert.deepEqual(extractStartedBy(env), { launcher: undefined, npm: true });
  assert.deepEqual(extractStartedBy({}), { launcher: undefined, npm: false });
});
