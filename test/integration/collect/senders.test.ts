// `sluice pipe` and `sluice exec` as their users have them: with programs before and behind them, and a Sluice that is
// killed while it receives. What counts is what the store has at the end.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { field, inEmbeddedStore, texts, untilStored } from '../parts/documents.ts';
import { newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const MAIN = join(import.meta.dirname, '../../../services/sluice/main.ts');
const HALF = 8000;

/** `sluice …` behind a program of the shell. */
function behind(shell: string): readonly [string, ...string[]] {
  return ['/bin/sh', '-c', `${shell} | "$0" "$@"`, process.execPath, MAIN];
}

/** Kills it with -9 as soon as it has received something. */
async function killReceiving(place: Place): Promise<void> {
  await using receiver = await new SluiceProcess(['run'], place).ready();
  await receiver.until(async () => (await receiver.metric('events_received_total')) > 0);
  await receiver.kill();
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => String(from + i)).toSorted();
}

suite('sluice pipe and exec', { timeout: 240_000 }, () => {
  test('a receiver that comes late, and is killed twice, has each line once', async () => {
    await using place = await newPlace();
    const go = join(place.dataDir, 'go');
    const program = `seq 1 ${HALF}; until [ -e ${go} ]; do sleep 0.05; done; seq ${HALF + 1} ${2 * HALF}; printf tail`;
    await using pipe = new SluiceProcess(['pipe', '--tag', 'piped'], place, {}, behind(`(${program})`));
    await pipe.until(() => Promise.resolve(pipe.stderr.includes('Cannot send lines')));
    await killReceiving(place);
    writeFileSync(go, '');
    await killReceiving(place);
    await using receiver = await new SluiceProcess(['run'], place).ready();
    const { code, stderr } = await pipe.finished;
    assert.equal(code, 0, stderr);
    const stored = texts(await untilStored(inEmbeddedStore(place), 'piped', 2 * HALF + 1), 'message');
    assert.deepEqual(stored.toSorted(), [...numbers(1, 2 * HALF), 'tail'].toSorted());
    assert.equal(await receiver.metric('ledger_imbalance'), 0);
  });

  test('a program of which all is told: streams, exit code, what has no end', async () => {
    await using place = await newPlace();
    await using _receiver = await new SluiceProcess(['run'], place).ready();
    // Some programs open their output by name, which sockets do not allow.
    const script = 'echo out; echo err >&2; echo named > /dev/stdout; printf tail; exit 7';
    const run = ['exec', '--tag', 'program', '--', 'sh', '-c', script];
    const shown = await sluice(run, place);
    assert.deepEqual([shown.code, shown.stdout, shown.stderr], [7, 'out\nnamed\ntail', 'err\n']);
    const quiet = await sluice([...run.slice(0, 3), '--quiet', ...run.slice(3)], place);
    assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [7, '', '']);
    const documents = await untilStored(inEmbeddedStore(place), 'program', 8);
    const told = documents.map((one) => `${String(field(one, 'stream'))} ${String(field(one, 'message'))}`);
    const once = ['stderr err', 'stdout named', 'stdout out', 'stdout tail'];
    assert.deepEqual(told.toSorted(), [...once, ...once].toSorted());
    assert.equal((await sluice(['exec', '--tag', 't', '--', '/nowhere/program'], place)).code, 127);
    assert.equal((await sluice(['exec', '--tag', 't', '--', 'sh', '-c', 'kill -9 $$'], place)).code, 137);
  });

  test('a signal is the program’s, and what it says last is kept', async () => {
    await using place = await newPlace();
    await using _receiver = await new SluiceProcess(['run'], place).ready();
    const script = 'trap "echo last words; exit 5" TERM; echo ready; while :; do sleep 0.05; done';
    await using program = new SluiceProcess(['exec', '--tag', 'trapped', '--', 'sh', '-c', script], place);
    await program.until(() => Promise.resolve(program.stdout.includes('ready')));
    assert.equal((await program.stop()).code, 5);
    const documents = await untilStored(inEmbeddedStore(place), 'trapped', 2);
    assert.deepEqual(texts(documents, 'message'), ['ready', 'last words']);
  });

  test('what is not acknowledged is told, and is a failure', async () => {
    await using place = await newPlace();
    const piped = new SluiceProcess(['pipe', '--tag', 't', '--timeout', '0.5'], place, {}, behind('seq 1 5'));
    const { code, stderr } = await piped.finished;
    assert.equal(code, 1);
    assert.match(stderr, /5 lines are not acknowledged \(connect ECONNREFUSED/);
    const failed = await sluice(['exec', '--tag', 't', '--timeout', '0', '--', 'echo', 'a'], place);
    assert.deepEqual([failed.code, failed.stdout], [1, 'a\n']);
    const unused = await sluice(['exec', '--tag', 't', '--timeout', '0', '--', 'sh', '-c', 'exit 4'], place);
    assert.equal(unused.code, 4);
    for (const wrong of [['pipe'], ['exec', '--tag', 't'], ['pipe', '--tag', '']]) {
      assert.equal((await sluice(wrong, place)).code, 2);
    }
  });

  test('a program that is gone while its output is held open, or cannot be sent, is no reason to stay', async () => {
    await using place = await newPlace();
    const flood = ['exec', '--tag', 't', '--quiet', '--timeout', '0.5', '--', 'sh', '-c', 'echo on; exec yes'];
    await using blocked = new SluiceProcess(flood, place);
    await blocked.until(() => Promise.resolve(blocked.stderr.includes('Cannot send lines')));
    assert.equal((await blocked.stop()).code, 143);
    await using receiver = await new SluiceProcess(['run'], place).ready();
    const left = ['exec', '--tag', 'stays', '--', 'sh', '-c', 'sleep 30 & echo said; exit 3'];
    await using held = new SluiceProcess(left, place);
    await held.until(() => Promise.resolve(held.stdout.includes('said')));
    await receiver.until(async () => (await receiver.metric('events_received_total')) > 0);
    const { code, stderr } = await held.stop();
    assert.equal(code, 3);
    assert.match(stderr, /Cannot read all that is written to stdout: it was stopped/);
  });

  test('nobody reads what is shown, and no input', async () => {
    await using place = await newPlace();
    await using _receiver = await new SluiceProcess(['run'], place).ready();
    const environment = { ...process.env, SLUICE_FORWARD_LISTEN: `127.0.0.1:${place.forward}` };
    const exec = `"$0" "$1" exec --tag left -- seq 1 3000 | head -n 1; "$0" "$1" pipe --tag left <&-`;
    const shell = spawn('/bin/bash', ['-o', 'pipefail', '-c', exec, process.execPath, MAIN], { env: environment });
    const [code] = (await once(shell, 'close')) as [number];
    assert.equal(code, 0);
    const documents = await untilStored(inEmbeddedStore(place), 'left', 3000);
    assert.deepEqual(texts(documents, 'message').toSorted(), numbers(1, 3000));
  });
});
