// What Docker's fluentd driver sends beside the line, and lines of every length: each comes out as one document, byte
// for byte.

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { runWithDriver, whyNoContainers } from '../parts/container.ts';
import { type Find, field, inEmbeddedStore, texts, untilStored } from '../parts/documents.ts';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

const noContainers = whyNoContainers();
const mebibyte = 1024 * 1024;
/** Around Docker's split at 16 KiB, and many parts. */
const lengths = [16_383, 16_384, 16_385, mebibyte];

/** Digits that count on, so that a lost, doubled or moved part shows. */
const digits = Array.from({ length: 200_000 }, (_, i) => i + 1).join('');
const digitsOf = (bytes: number) => `seq 1 200000 | tr -d '\\n' | head -c ${bytes}`;

suite('Docker, fluentd driver', { skip: noContainers === null ? false : `SKIPPED: ${noContainers}` }, () => {
  const started = new AsyncDisposableStack();
  let address = '';
  let find: Find = () => Promise.resolve([]);

  before(async () => {
    const place = started.use(await newPlace());
    await started.use(new SluiceProcess(['run'], place)).ready();
    find = inEmbeddedStore(place);
    address = `127.0.0.1:${place.forward}`;
  });
  after(() => started.disposeAsync());

  for (const ack of ['true', 'false']) {
    const options = (tag: string) => ({ 'fluentd-address': address, 'fluentd-request-ack': ack, tag });
    for (const bytes of lengths) {
      for (const end of ['with', 'without']) {
        test(`a line of ${bytes} bytes ${end} a line break at its end, ack ${ack}`, async () => {
          const tag = `line.${bytes}.${end}.${ack}`;
          const script = `${digitsOf(bytes)}${end === 'with' ? '; echo' : ''}`;
          await runWithDriver({ driver: 'fluentd', options: options(tag), script });
          const documents = await untilStored(find, tag, 1);
          assert.equal(documents.length, 1);
          assert.ok(texts(documents, 'message')[0] === digits.slice(0, bytes), 'byte for byte');
          // Where a part of 16 KiB ends the container's output, nothing tells that no other follows.
          const isTold = end === 'with' || bytes % 16_384 !== 0;
          assert.deepEqual(field(documents[0] ?? {}, 'log.flags'), isTold ? undefined : ['partial']);
        });
      }
    }
  }

  test('labels, environment and tag templates arrive as fields', async () => {
    const container = `sluice-test-fields-${process.pid}`;
    const options = {
      'fluentd-address': address,
      tag: 'docker.{{.Name}}.{{.ImageName}}',
      labels: 'com.example.team',
      'labels-regex': String.raw`^(sluice|com\.docker\.compose)\.`,
      env: 'STAGE',
      'env-regex': '^FEATURE_',
    };
    const args = ['--name', container].concat(
      [
        'com.example.team=web',
        'com.docker.compose.service=shop',
        'sluice.route=payments',
        'com.example.other=no',
      ].flatMap((label) => ['--label', label]),
      ['STAGE=test', 'FEATURE_X=on', 'SECRET=hidden'].flatMap((variable) => ['--env', variable]),
    );
    const id = await runWithDriver({ driver: 'fluentd', options, script: 'echo hello', args });
    const [document = {}] = await untilStored(find, `docker.${container}.sluice-test/busybox:local`, 1);
    assert.equal(field(document, 'container.id'), id);
    assert.equal(field(document, 'container.name'), container);
    assert.deepEqual(document['attributes'], {
      'com.example.team': 'web',
      'sluice.route': 'payments',
      STAGE: 'test',
      FEATURE_X: 'on',
    });
    assert.equal(field(document, 'service.name'), 'shop');
  });
});
