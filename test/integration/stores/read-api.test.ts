// The read API of the real program: what was sent is found by it as by the commands, a reader sees the process die, and
// the next one has it all again.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { READ_LISTEN_DEFAULT } from '#shared/config/settings/read.ts';
import { newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';

/** Where it says that it is to be asked. */
function addressOf(service: SluiceProcess): string {
  const [, address = ''] = /^ {2}Search {4}(http:\S+)\/search$/m.exec(service.stdout) ?? [];
  assert.notEqual(address, '', service.stdout);
  return address;
}

async function send(place: Place, messages: readonly string[]): Promise<void> {
  for (const message of messages) {
    const body = JSON.stringify({ message, level: 'error' });
    const headers = { 'content-type': 'application/json' };
    const { status } = await fetch(`http://127.0.0.1:${place.http}/app.web`, { method: 'POST', headers, body });
    assert.equal(status, 200);
  }
}

const lines = { headers: { accept: 'application/x-ndjson' } };

async function found(address: string, q: string): Promise<number> {
  const { documents } = (await (await fetch(`${address}/search?q=${q}`)).json()) as { documents: unknown[] };
  return documents.length;
}

test('found as by the commands; a kill ends a tail, and the next process answers the same', async () => {
  await using place = await newPlace();
  let before = '';
  {
    await using service = await new SluiceProcess(['run'], place).ready();
    const address = addressOf(service);
    const tail = await fetch(`${address}/tail`);
    await send(place, ['one', 'two', 'three']);
    await service.until(async () => (await found(address, 'level:error')) === 3);
    before = await (await fetch(`${address}/search`, lines)).text();
    assert.equal((await sluice(['search', '', '--json'], place)).stdout, before);
    assert.equal(await service.metric('reads_open'), 1);
    let told = '';
    const following = (async () => {
      for await (const chunk of tail.body ?? []) {
        told += Buffer.from(chunk).toString();
        if (told.includes('"three"')) await service.kill();
      }
    })();
    await assert.rejects(following, 'the reader learns that it is cut off');
    assert.match(told, /"one".*"two".*"three"/s);
  }
  await using again = await new SluiceProcess(['run'], place).ready();
  const address = addressOf(again);
  assert.equal(await (await fetch(`${address}/search`, lines)).text(), before);
  const tail = await fetch(`${address}/tail`);
  const told = tail.text();
  const { code } = await again.stop();
  assert.equal(code, 0);
  assert.match(await told, /event: end\ndata: .*shutting_down/);
});

test('it may be switched off; the default address may be taken, and the process runs without', async () => {
  await using place = await newPlace();
  {
    await using service = await new SluiceProcess(['run'], place, { SLUICE_READ_LISTEN: 'none' }).ready();
    assert.doesNotMatch(service.stdout, /^ {2}Search/m);
  }
  const [host, port] = READ_LISTEN_DEFAULT.split(':');
  const other = createServer().listen(Number(port), host);
  // Somebody else's server does as well.
  await Promise.race([once(other, 'listening'), once(other, 'error')]);
  await using service = await new SluiceProcess(['run'], place, { SLUICE_READ_LISTEN: '' }).ready();
  assert.doesNotMatch(service.stdout, /^ {2}Search/m);
  assert.match(service.stderr, /"read_api_off"|"event":"read_api_off"/);
  other.close();
});

test('an address that others can reach, without tokens, is refused at the start and by `sluice check`', async () => {
  await using place = await newPlace();
  const env = { SLUICE_READ_LISTEN: '0.0.0.0:0' };
  for (const args of [['run'], ['check', '--offline']]) {
    const { code, stderr } = await sluice(args, place, env);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /Cannot listen on 0\.0\.0\.0:0 for reading: .*SLUICE_READ_TOKENS/);
  }
});
