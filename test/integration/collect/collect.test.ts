// What somebody does who has log files and nothing else: `sluice collect '/var/log/*.log'`, then `sluice logs -f`.

import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { field, inEmbeddedStore, texts, untilStored } from '../parts/documents.ts';
import { newPlace, sluice, SluiceProcess } from '../parts/sluice-process.ts';

suite('sluice collect', { timeout: 120_000 }, () => {
  test('shows lines of files, and what is written to them', async () => {
    await using place = await newPlace();
    const folder = join(place.dataDir, 'logs');
    mkdirSync(folder);
    const path = join(folder, 'app.log');
    const tag = `file${folder.replaceAll('/', '.')}.app.log`;
    writeFileSync(path, 'one\n2026-01-02T03:04:05.678Z two\n');
    {
      await using collector = await new SluiceProcess(['collect', join(folder, '*.log')], place).ready();
      const documents = await untilStored(inEmbeddedStore(place), tag, 2);
      // The time of a line is read out of it; the whole line stays beside its message.
      assert.deepEqual(texts(documents, 'message').toSorted(), ['one', 'two']);
      const two = documents.find((document) => field(document, 'message') === 'two');
      assert.equal(field(two ?? {}, 'event.original'), '2026-01-02T03:04:05.678Z two');
      assert.equal(two?.['@timestamp'], '2026-01-02T03:04:05.678Z');
      assert.equal(field(two ?? {}, 'log.file.path'), path);
      await using follower = new SluiceProcess(['logs', '-f', tag], place);
      appendFileSync(path, 'three\n');
      await follower.until(() => Promise.resolve(follower.stdout.includes('three\n')));
      assert.equal(await collector.metric('collect_open_files'), 1);
      await collector.kill();
    }
    renameSync(path, `${path}.1`);
    writeFileSync(path, `${'long '.repeat(40_000)}\n`);
    await using again = await new SluiceProcess(['collect', join(folder, '*.log')], place).ready();
    const documents = await untilStored(inEmbeddedStore(place), tag, 4);
    assert.ok(texts(documents, 'message').includes('long '.repeat(40_000)));
    assert.equal(await again.metric('ledger_imbalance'), 0);
    assert.equal((await again.stop()).code, 0);
    for (const patterns of [[], [''], [folder]]) assert.equal((await sluice(['collect', ...patterns], place)).code, 2);
  });

  test('shows what pods and containers print', async () => {
    await using place = await newPlace();
    const pods = join(place.dataDir, 'pods');
    const containers = join(place.dataDir, 'containers');
    const id = '0123456789abcdef'.repeat(4);
    mkdirSync(join(pods, 'shop_web-1_11111111-2222-3333-4444-555555555555/app'), { recursive: true });
    mkdirSync(join(containers, id), { recursive: true });
    const time = '2026-01-02T03:04:05.678901234Z';
    const lines = [`${time} stderr P one, `, `${time} stdout F level=warn two`, `${time} stderr F three`];
    writeFileSync(
      join(pods, 'shop_web-1_11111111-2222-3333-4444-555555555555/app/2.log'),
      lines.map((line) => `${line}\n`).join(''),
    );
    const labels = { 'com.docker.compose.service': 'db', 'com.docker.compose.project': 'shop' };
    const config = { Name: '/shop-db-1', Config: { Image: 'postgres:18', Labels: labels } };
    writeFileSync(join(containers, id, 'config.v2.json'), JSON.stringify(config));
    const line = JSON.stringify({ log: 'four\n', stream: 'stdout', attrs: { tag: 't' }, time });
    writeFileSync(join(containers, id, `${id}-json.log`), `${line}\n`);
    const environment = {
      SLUICE_COLLECT_KUBERNETES: JSON.stringify({ path: pods }),
      SLUICE_COLLECT_DOCKER: JSON.stringify({ path: containers }),
    };
    await using collector = await new SluiceProcess(['run'], place, environment).ready();
    const documents = await untilStored(inEmbeddedStore(place), 'kubernetes.shop.web-1.app', 2);
    const shown = documents.map((document) =>
      ['message', 'stream', '@timestamp', 'kubernetes.namespace', 'kubernetes.pod.name', 'kubernetes.container.name']
        .map((name) => String(field(document, name)))
        .join(' '),
    );
    assert.deepEqual(shown.toSorted(), [
      `level=warn two stdout ${time} shop web-1 app`,
      `one, three stderr ${time} shop web-1 app`,
    ]);
    const [four] = await untilStored(inEmbeddedStore(place), 'docker.shop-db-1', 1);
    const named = ['message', 'container.id', 'container.name', 'container.image.name', 'service.name'];
    assert.deepEqual(
      [...named, 'orchestrator.namespace', '@timestamp'].map((name) => field(four ?? {}, name)),
      ['four', id, 'shop-db-1', 'postgres:18', 'db', 'shop', time],
    );
    assert.equal(await collector.metric('collect_malformed_lines_total'), 0);
    assert.equal(await collector.metric('ledger_imbalance'), 0);
  });
});
