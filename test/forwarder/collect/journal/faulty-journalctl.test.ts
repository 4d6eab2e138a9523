// A journalctl that fails in every way that a program can: it is started again, and each entry comes once all the same.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { entries, noJournal, writeJournal } from './journal-files.ts';
import { JournalWorld } from './journal-world.ts';

const options = { skip: noJournal, timeout: 60_000 };
const lines = (from: number, to: number): string[] => entries(from, to).map(({ n }) => `line ${n}`);

/** As journalctl, but `fault` in place of the first that follows. */
function faulty(world: JournalWorld, fault: string): string {
  const program = world.path('journalctl');
  const once = world.path('once');
  fs.writeFileSync(
    program,
    `#!/bin/sh
case "$*" in *--follow*) if [ ! -e ${once} ]; then touch ${once}; ${fault}; exit; fi;; esac
exec journalctl "$@"
`,
    { mode: 0o755 },
  );
  return program;
}

async function check(fault: string, reason: string, why: RegExp, silenceMs = 60_000): Promise<void> {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', entries(1, 10));
  await using _ = await world.start({}, { program: faulty(world, fault), silenceMs });
  const told = await world.untilTold('journal_reading_interrupted');
  assert.equal(told['reason'], reason);
  assert.match(String(told['why']), why);
  assert.deepEqual(await world.untilLines(10), lines(1, 10));
  assert.equal(world.intake.repeats, 0);
  const complaints = world.tellings('journalctl_says');
  assert.ok(complaints.length <= 10, `${complaints.length} lines`);
  assert.ok(complaints.every(({ line }) => /^[ -~]{1,300}$/.test(String(line))));
}

const faults: [what: string, fault: string, reason: string, why: RegExp, silenceMs?: number][] = [
  ['it ends', 'exit 0', 'ended', /it ended/],
  ['it fails', 'exit 3', 'ended', /code 3/],
  ['it fails, and says why', "printf 'Failed: \\033[1mno\\n' >&2; exit 1", 'ended', /^Failed: +\[1mno$/],
  ['it is killed', 'kill -9 $$', 'ended', /SIGKILL/],
  ['it ends in the middle of an entry', 'journalctl $(echo $@ | sed s/--follow//) | head -c 3000', 'ended', /it ended/],
  ['it hangs', 'exec sleep 1000', 'silent', /printed nothing/, 100],
  ['it is stopped', 'kill -STOP $$', 'silent', /printed nothing/, 100],
  ['rubbish', "printf 'x\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n'", 'too_large', /more than/],
  ['no field', 'echo =x', 'malformed', /no name/],
  ['an entry without a cursor', "printf 'MESSAGE=x\\n\\n'", 'malformed', /no cursor/],
  ['a line without an end', "head -c 50000000 /dev/zero | tr '\\0' x", 'too_large', /more than/],
  ['a flood of errors', 'yes error | head -c 20000000 >&2; exit 1', 'ended', /^er/],
  ['an error without an end', "head -c 20000000 /dev/zero | tr '\\0' x >&2; exit 1", 'ended', /^x{300}$/],
];

for (const [what, fault, reason, why, silenceMs] of faults) {
  test(what, options, () => check(fault, reason, why, silenceMs));
}

test('it is not installed, and then it is', options, async () => {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', entries(1, 10));
  await using reading = await world.start({}, { program: world.path('journalctl') });
  const told = await world.untilTold('journal_reading_interrupted');
  assert.deepEqual([told['reason'], await reading.metric('collect_journal_reading')], ['missing', 0]);
  assert.match(String(told['why']), /journalctl is not installed/);
  fs.symlinkSync('/usr/bin/journalctl', world.path('journalctl'));
  assert.deepEqual(await world.untilLines(10), lines(1, 10));
});

test('an entry that is rubbish each time is a dead letter, and the others are read', options, async () => {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', entries(1, 5));
  const program = world.path('journalctl');
  const rubbish = 'journalctl "$@" | sed -u s/^PRIORITY=2/=2/';
  fs.writeFileSync(program, `#!/bin/sh\ncase "$*" in *--follow*) ${rubbish};; *) exec journalctl "$@";; esac\n`, {
    mode: 0o755,
  });
  writeJournal(world.journals, 'b.journal', [{ n: 6, fields: { PRIORITY: '2' } }, { n: 7 }]);
  await using _ = await world.start({}, { program });
  assert.deepEqual(await world.untilLines(6), [...lines(1, 5), 'line 7']);
  assert.deepEqual(
    world.intake.deadLetters.map(({ reason }) => reason),
    ['entry_malformed'],
  );
  assert.equal(world.tellings('journal_entry_unreadable').length, 1);
});

test('what a wrapper has started keeps nobody from closing', options, async () => {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', entries(1, 3));
  const program = world.path('journalctl');
  fs.writeFileSync(program, '#!/bin/sh\njournalctl "$@" | sed -u p\n', { mode: 0o755 });
  const reading = await world.start({}, { program });
  await world.untilTold('collecting_journal');
  await reading[Symbol.asyncDispose]();
});

test('a journalctl that never ends its answer keeps nobody from closing', options, async () => {
  await using world = new JournalWorld();
  fs.writeFileSync(world.path('journalctl'), '#!/bin/sh\nexec sleep 1000\n', { mode: 0o755 });
  const reading = await world.start({ from: 'end' }, { program: world.path('journalctl') });
  await reading[Symbol.asyncDispose]();
});
