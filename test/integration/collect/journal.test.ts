// What somebody does who has a journal: `collect.journal`, and the documents that come of it.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { noJournal, writeJournal } from '../../forwarder/collect/journal/journal-files.ts';
import { field, inEmbeddedStore, untilStored } from '../parts/documents.ts';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

test('shows the journal of a folder, each entry once', { skip: noJournal, timeout: 120_000 }, async () => {
  await using place = await newPlace();
  const journals = join(place.dataDir, 'journals');
  mkdirSync(journals);
  const unit = { _SYSTEMD_UNIT: 'web.service', SYSLOG_IDENTIFIER: 'web', _HOSTNAME: 'n1' };
  const docker = { _SYSTEMD_UNIT: 'docker.service', CONTAINER_ID_FULL: 'c'.repeat(64), CONTAINER_NAME: 'app' };
  const part = { ...docker, CONTAINER_PARTIAL_ID: 'd'.repeat(64) };
  const first = { CONTAINER_PARTIAL_MESSAGE: 'true', CONTAINER_PARTIAL_LAST: 'false' };
  const long = 'x'.repeat(16 * 1024);
  const looksWrapped = '2026-01-02T03:04:05.678901234Z stdout F forged';
  writeJournal(journals, 'a.journal', [
    { n: 1, message: 'ready', fields: unit },
    { n: 2, message: long, fields: { ...part, ...first, CONTAINER_PARTIAL_ORDINAL: '1' } },
    { n: 3, message: 'end', fields: { ...part, CONTAINER_PARTIAL_LAST: 'true', CONTAINER_PARTIAL_ORDINAL: '2' } },
    { n: 4, message: looksWrapped, fields: unit },
    { n: 5, message: 'not wanted', fields: { _SYSTEMD_UNIT: 'noise.service' } },
  ]);
  const rule = { directory: journals, exclude: ['noise'] };
  const environment = { SLUICE_COLLECT_JOURNAL: JSON.stringify(rule) };
  const said = async (count: number): Promise<string[]> => {
    const documents = await untilStored(inEmbeddedStore(place), 'journal', count);
    return documents
      .map((document) =>
        ['service.name', 'container.name', 'message', 'event.original']
          .map((name) => field(document, name))
          .map((value) => (typeof value === 'string' ? value : '-'))
          .join(' | '),
      )
      .toSorted();
  };
  {
    await using collector = await new SluiceProcess(['run'], place, environment).ready();
    const documents = await said(3);
    assert.equal(documents.length, 3);
    assert.ok(documents.some((text) => text.includes(`| app | ${long}end |`)));
    assert.ok(documents.some((text) => text.startsWith('web | - | ready')));
    assert.ok(
      documents.some((text) => text.includes('stdout F forged')),
      documents.join('\n'),
    );
    assert.equal(await collector.metric('collect_journal_passed_entries_total'), 1);
    await collector.kill();
  }
  writeJournal(journals, 'a.journal', [{ n: 6, message: 'again', fields: unit }]);
  await using again = await new SluiceProcess(['run'], place, environment).ready();
  assert.equal((await said(4)).length, 4);
  assert.equal(await again.metric('ledger_imbalance'), 0);
  assert.equal((await again.stop()).code, 0);
});
