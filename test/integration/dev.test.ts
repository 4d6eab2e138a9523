// `npm run dev` as package.json has it: its own lines are in the store soon after the start, and Ctrl-C ends all of it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { SluiceProcess, newPlace, sluice } from './sluice-process.ts';

const root = join(import.meta.dirname, '../..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { dev: string } };
/** As npm sets it: this Node first. */
const PATH = `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`;

test('npm run dev: lines come by themselves; an interrupt ends it in order', async () => {
  await using place = await newPlace();
  const shell = ['sh', '-c', `cd '${root}' && exec ${scripts.dev} "$@"`, 'sh'] as const;
  await using dev = new SluiceProcess(['--rate', '50'], place, { PATH }, shell);
  const shown = async (): Promise<string> => (await sluice(['logs', '-n', 'all', 'shop.*'], place)).stdout;
  await dev.until(async () => (await dev.readiness()).ready);
  await dev.until(async () => /"GET \/items\/\d+/.test(await shown()));
  await dev.until(async () => (await shown()).includes('afterConnect'));
  process.kill(dev.pid ?? 0, 'SIGINT');
  // It closes when nobody holds its output any more: no process is left.
  const { code, stdout, stderr } = await dev.finished;
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /Watch +SLUICE_DATA_DIR=/);
  assert.doesNotMatch(stderr, /"level":"error"/);
});
