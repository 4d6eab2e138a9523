// What somebody does who tries Sluice for the first time: start it, send a line, look at it, stop it, start it again.
// And what a machine does to them: the power goes in the middle.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ForwardClient, modes } from '#test/clients/forward-client.ts';
import { field, inEmbeddedStore, texts, untilStored } from '../parts/documents.ts';
import { newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';

function post(place: Place, tag: string, body: string): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(`http://127.0.0.1:${place.http}/${tag}`, { method: 'POST', headers, body });
}

suite('sluice run', () => {
  test('a line is posted, shown, and there again after a restart', async () => {
    await using place = await newPlace();
    const startedMs = performance.now();
    await using first = await new SluiceProcess(['run'], place).ready();
    const readyMs = performance.now() - startedMs;
    assert.match(first.stdout, /docker run /);
    assert.match(first.stdout, /curl /);

    const sentMs = performance.now();
    const answer = await post(place, 'app.web', '{"message":"hello"}');
    assert.equal(answer.status, 200, await answer.text());
    let shown = '';
    while (shown === '') shown = (await sluice(['logs', 'app.web'], place)).stdout;
    const shownMs = performance.now() - sentMs;
    console.log(
      `ready ${Math.round(readyMs)} ms after the start; the line shown ${Math.round(shownMs)} ms after it was sent`,
    );
    assert.equal(shown, 'hello\n');

    const stopped = await first.stop();
    console.log(`stopped in ${Math.round(stopped.tookMs)} ms`);
    assert.equal(stopped.code, 0, stopped.stderr);
    assert.ok(stopped.tookMs < 10_000, `SIGTERM took ${stopped.tookMs} ms`);

    await using second = await new SluiceProcess(['run'], place).ready();
    assert.equal((await post(place, 'app.web', '{"message":"again"}')).status, 200);
    const documents = await untilStored(inEmbeddedStore(place), 'app.web', 2);
    assert.deepEqual(texts(documents, 'message'), ['hello', 'again']);
    assert.equal((await second.stop()).code, 0);
  });

  test('logs --follow shows what comes', async () => {
    await using place = await newPlace();
    await using _program = await new SluiceProcess(['run'], place).ready();
    await using follower = new SluiceProcess(['logs', '-f', 'app.follow'], place);
    for (const n of [1, 2, 3]) {
      assert.equal((await post(place, 'app.follow', `{"message":"line ${n}"}`)).status, 200);
      await follower.until(() => Promise.resolve(follower.stdout.includes(`line ${n}\n`)));
    }
    assert.equal(follower.stdout, 'line 1\nline 2\nline 3\n');
    assert.equal((await follower.stop()).code, 0);
  });

  test('search finds by words and by fields, counts, and shows the place of a mistake', async () => {
    await using place = await newPlace();
    await using _program = await new SluiceProcess(['run'], place).ready();
    const lines = ['disk full on node_7', 'disk fine', 'node_7 fine'];
    const body = lines.map((message, i) => ({ message, level: i === 0 ? 'error' : 'info', used: 100 - i }));
    assert.equal((await post(place, 'app.search', JSON.stringify(body))).status, 200);
    await untilStored(inEmbeddedStore(place), 'app.search', 3);
    const found = await sluice(['search', 'disk node_7', '--json'], place);
    assert.equal(found.code, 0, found.stderr);
    assert.match(found.stdout, /disk full on node_7/);
    assert.equal(found.stdout.trimEnd().split('\n').length, 1);
    const full = await sluice(['search', 'used>=99 -level:error'], place);
    assert.match(full.stdout, /^\S+ app\.search \| disk fine\n$/);
    const counted = await sluice(['search', 'tag:app.search | count by level', '--csv'], place);
    assert.equal(counted.stdout, 'log.level,count\ninfo,2\nerror,1\n');
    const slip = await sluice(['search', 'lvl:error'], place);
    assert.deepEqual([slip.code, slip.stderr], [0, 'sluice: nothing has the field lvl; did you mean log.level?\n']);
    const wrong = await sluice(['search', 'used>=99 (disk'], place);
    assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
    const said = ['Cannot read the query: this ( is never closed', '  used>=99 (disk', '           ^'];
    assert.equal(wrong.stderr, said.map((line) => `sluice: ${line}\n`).join(''));
  });

  test('killed under load, three times: every acked event is there once', async () => {
    await using place = await newPlace();
    await using client = new ForwardClient(place.forward);
    const batchEvents = 50;
    const acked = new Set<number>();
    let sent = 0;

    /** Keeps some frames unanswered at any time, of every mode, until told to stop. */
    const load = async (until: AbortSignal): Promise<void> => {
      const waiting = new Set<Promise<void>>();
      while (!until.aborted) {
        const mode = modes[sent % modes.length] ?? 'packed';
        const first = sent;
        sent += mode === 'message' ? 1 : batchEvents;
        const events = Array.from({ length: sent - first }, (_, i) => ({
          timeNs: BigInt(Date.now()) * 1_000_000n,
          record: { message: `event ${first + i}`, n: first + i },
        }));
        const answered = client.send('app.kill', events, mode).then(() => {
          for (let n = first; n < first + events.length; n++) acked.add(n);
          waiting.delete(answered);
        });
        waiting.add(answered);
        if (waiting.size >= 20) await Promise.race([...waiting, aborted(until)]);
      }
      await Promise.all(waiting);
    };

    const enough = new AbortController();
    using _stop = { [Symbol.dispose]: () => enough.abort() };
    const loading = load(enough.signal);
    for (let kill = 0; kill < 3; kill++) {
      const program = await new SluiceProcess(['run'], place).ready();
      const before = acked.size;
      await program.until(() => Promise.resolve(acked.size > before + 2000));
      await program.kill();
    }
    await using last = await new SluiceProcess(['run'], place).ready();
    enough.abort();
    await loading;
    assert.equal(client.unacked, 0);

    const documents = await untilStored(inEmbeddedStore(place), 'app.kill', sent);
    const numbers = documents.map((document) => Number(field(document, 'attributes.n'))).sort((a, b) => a - b);
    console.log(`${sent} events, ${acked.size} acked, ${numbers.length} stored, over three kills`);
    assert.deepEqual(
      numbers,
      Array.from({ length: sent }, (_, n) => n),
    );
    assert.equal(await last.metric('ledger_imbalance'), 0);
    assert.equal((await last.stop()).code, 0);
  });
});

async function aborted(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await delay(10);
}
