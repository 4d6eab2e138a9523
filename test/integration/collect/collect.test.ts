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
    const refused = await sluice(['collect'], place);
    assert.equal(refused.code, 2);
  });
});
