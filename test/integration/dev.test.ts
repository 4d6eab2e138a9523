// `npm run dev` as package.json has it: its own lines are in the store soon after the start, a change starts it again, and an interrupt
// ends all of it.

import assert from 'node:assert/strict';
import { readFileSync, statSync, utimesSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { SluiceProcess, newPlace, sluice } from './sluice-process.ts';

const root = join(import.meta.dirname, '../..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { dev: string } };
/** As npm sets it: this Node first, and the name by which a Sluice knows to end when who started it is gone. */
const NPM = { PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`, npm_lifecycle_event: 'dev' };

/** The kernel tells of it as of any change, and the file stays as it is. */
function touch(file: string): void {
  const { atime, mtime } = statSync(join(root, file));
  utimesSync(join(root, file), atime, mtime);
}

test('npm run dev: lines come by themselves, a change starts it again, an interrupt ends it in order', async () => {
  assert.ok(scripts.dev.endsWith(' infra/dev/main.ts'));
  await using place = await newPlace();
  const shell = ['sh', '-c', `cd '${root}' && exec ${scripts.dev} "$@"`, 'sh'] as const;
  await using dev = new SluiceProcess(['--rate', '50'], place, NPM, shell);
  const isUp = (times: number) => async (): Promise<boolean> => dev.stdout.split('Sluice is up.').length > times;
  const shows = (text: string) => async (): Promise<boolean> =>
    (await sluice(['logs', 'shop.*'], place)).stdout.includes(text);
  await dev.until(isUp(1));
  await dev.until(shows('"GET /items/'));
  await dev.until(shows('afterConnect'));
  touch('services/sluice/version.ts');
  await dev.until(isUp(2));
  process.kill(dev.pid ?? 0, 'SIGINT');
  // Its output closes when no process is left that could write to it.
  const { code, stdout, stderr } = await dev.finished;
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /Watch +SLUICE_DATA_DIR=/);
  assert.doesNotMatch(stderr, /"level":"error"/);
});
