// `npm run dev` as package.json has it, in a copy of the sources: its own lines are in the store soon after the start,
// changes start it again, and an interrupt ends all of it.

import assert from 'node:assert/strict';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { SluiceProcess, newPlace, sluice } from '../parts/sluice-process.ts';

const root = join(import.meta.dirname, '../../..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { dev: string } };
/** As npm sets it: this Node first, and the name by which a Sluice knows to end when who started it is gone. */
const NPM = { PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`, npm_lifecycle_event: 'dev' };

function copyOfSources(): { readonly folder: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-dev-'));
  for (const path of ['package.json', 'services', 'shared', 'infra/dev', 'test/clients/forward-client.ts'])
    cpSync(join(root, path), join(folder, path), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** As many editors save: a new file takes the name of the old one. */
function save(file: string): void {
  cpSync(file, `${file}~`);
  appendFileSync(`${file}~`, '// saved\n');
  renameSync(`${file}~`, file);
}

test('npm run dev: lines come by themselves, changes start it again, an interrupt ends it in order', async () => {
  assert.ok(scripts.dev.endsWith('infra/dev/main.ts'));
  using copy = copyOfSources();
  await using place = await newPlace();
  const shell = ['sh', '-c', `cd '${copy.folder}' && exec ${scripts.dev} "$@"`, 'sh'] as const;
  await using dev = new SluiceProcess(['--rate', '50'], place, NPM, shell);
  const isUp = (times: number) => async (): Promise<boolean> => dev.stdout.split('Sluice is up.').length > times;
  // What a container wrote to standard error is shown there.
  const shows = (text: string) => async (): Promise<boolean> => {
    const shown = await sluice(['logs', 'shop.*'], place);
    return `${shown.stdout}${shown.stderr}`.includes(text);
  };
  await dev.until(isUp(1));
  await dev.until(shows('"GET /items/'));
  await dev.until(shows('afterConnect'));
  save(join(copy.folder, 'services/sluice/process/version.ts'));
  await dev.until(isUp(2));
  save(join(copy.folder, 'services/sluice/process/version.ts'));
  await dev.until(isUp(3));
  process.kill(dev.pid ?? 0, 'SIGINT');
  // Its output closes when no process is left that could write to it.
  const { code, stdout, stderr } = await dev.finished;
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /Watch +SLUICE_DATA_DIR=/);
  assert.doesNotMatch(stderr, /"level":"error"/);
});
