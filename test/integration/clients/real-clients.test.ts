// The clients that people use, each with its own library in its own language: every event is found once in the store.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ClientName, isInstallable, sendBy } from '#test/clients/installed.ts';
import { field, inEmbeddedStore, untilStored } from '../parts/documents.ts';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

const count = 1000;

const place = await newPlace();
let program: SluiceProcess;
before(async () => {
  program = await new SluiceProcess(['run'], place).ready();
});
after(async () => {
  await program[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

async function check(name: ClientName, ack: boolean): Promise<void> {
  const title = `${name} ${ack ? 'with' : 'without'} ack`;
  const skip = (await isInstallable(name)) ? false : `SKIPPED: the toolchain of ${name} is not on this machine`;
  test(title, { skip }, async () => {
    const tag = `client.${name}.${ack ? 'ack' : 'no-ack'}`;
    await sendBy(name, { port: place.forward, tag, count, ack });
    const documents = await untilStored(inEmbeddedStore(place), tag, count);
    const numbers = documents.map((document) => Number(field(document, 'attributes.n'))).sort((a, b) => a - b);
    assert.deepEqual(
      numbers,
      Array.from({ length: count }, (_, n) => n),
    );
    for (const document of documents) {
      assert.equal(field(document, 'message'), `event ${String(field(document, 'attributes.n'))}`);
      assert.equal(field(document, 'fluentd.tag'), tag);
    }
  });
}

await check('python', false); // knows no acks
await check('npm-fluent-logger', false);
await check('npm-fluent-logger', true);
await check('npm-fluent-org', false);
await check('npm-fluent-org', true);
await check('java', false);
await check('java', true);
await check('go', false);
await check('go', true);
