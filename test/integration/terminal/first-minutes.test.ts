// A newcomer's first ten minutes, in real terminals: Sluice is started in one, and in another one lines are sent,
// searched by a field, charted by minute and followed, and a wrong query is mended by what its message says. All that
// the terminals show is first-minutes.txt, with the ports and paths of a first try.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { inEmbeddedStore, untilStored } from '../parts/documents.ts';
import { newPlace, type Place } from '../parts/sluice-process.ts';
import { noTerminal, Terminal } from './terminal.ts';

const MAIN = join(import.meta.dirname, '../../../services/sluice/main.ts');
const KEPT = new URL('first-minutes.txt', import.meta.url);
const LINES = [
  '{"time":"2026-03-01T12:00:05Z","level":"info","message":"GET /cart","status":200}',
  '{"time":"2026-03-01T12:01:10Z","level":"error","message":"GET /pay","status":502}',
  '{"time":"2026-03-01T12:03:40Z","level":"error","message":"GET /pay","status":503}',
];
const ANOTHER = '{"time":"2026-03-01T12:04:00Z","level":"warn","message":"pay is slow","took":7}';

/** Progress on a line that is used again. */
// oxlint-disable-next-line no-control-regex
const OVERWRITTEN = /[^\n]*\r(?:\u001b\[K)?/g;

test('start, send, search, chart, follow, mend', { skip: noTerminal }, async (t) => {
  await using place = await newPlace();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-first-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'sluice'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, { mode: 0o755 });
  const env = environment(place, folder);
  await using service = new Terminal(env);
  await using person = new Terminal(env);
  const post = `http://127.0.0.1:${place.http}/shop.web`;

  await service.start('sluice run');
  await service.shows('partitions_assigned');
  await person.run(`curl -s --json '[${LINES.join(',')}]' ${post}`);
  await untilStored(inEmbeddedStore(place), 'shop.web', LINES.length);
  await person.run('sluice search level:error');
  await person.run("sluice search 'tag:shop.web | count by 1m'");
  await person.start('sluice logs -f shop.web');
  await person.shows('status=503');
  {
    await using other = new Terminal(env);
    await other.run(`curl -s --json '${ANOTHER}' ${post}`);
  }
  await person.shows('pay is slow');
  await person.interrupt();
  await person.run("sluice search 'status>=500 (GET'");
  await person.run("sluice search 'status>=500 (GET)'");
  await person.run("sluice search 'lvl:warn'");
  await person.run("sluice search 'level:warn'");
  const started = service.text;
  await service.interrupt();

  const shown = [started, person.text].map((text) => plain(text, place)).join('\n\n--- another terminal ---\n\n');
  assert.equal(`${shown}\n`, await readFile(KEPT, 'utf8'));
});

function environment(place: Place, folder: string): NodeJS.ProcessEnv {
  return {
    PATH: `${folder}${delimiter}${process.env['PATH']}`,
    TERM: 'xterm',
    TZ: 'UTC',
    LANG: 'C.UTF-8',
    NO_COLOR: '1',
    PAGER: 'cat',
    SLUICE_DATA_DIR: place.dataDir,
    SLUICE_FORWARD_LISTEN: `127.0.0.1:${place.forward}`,
    SLUICE_HTTP_LISTEN: `127.0.0.1:${place.http}`,
    SLUICE_ADMIN_LISTEN: `127.0.0.1:${place.admin}`,
    SLUICE_READ_LISTEN: '127.0.0.1:0',
  };
}

/** With the ports and paths of a first try; without the lines of the log, and without what was overwritten. */
function plain(text: string, { dataDir, forward, http, admin }: Place): string {
  const ports = new Map([
    [`:${forward}`, ':24224'],
    [`:${http}`, ':9880'],
    [`:${admin}`, ':24231'],
  ]);
  return text
    .replaceAll(/^\[\d\d:\d\d:\d\d\.\d{3}\] .*\n/gm, '')
    .replaceAll(OVERWRITTEN, '')
    .replaceAll(/:\d+/g, (port) => ports.get(port) ?? port)
    .replace(/(Search +http:\/\/127\.0\.0\.1):\d+/, '$1:24233')
    .replaceAll(dataDir, 'data')
    .replaceAll(/ +$/gm, '')
    .replace(/\$$/, '')
    .trimEnd();
}
