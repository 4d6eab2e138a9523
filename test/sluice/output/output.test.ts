// What a command has written is with its reader when the command is done: the process exits then.

import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { Output } from '../../../services/sluice/output/output.ts';

test('a small text behind large ones is not left in the stream', async () => {
  const read: string[] = [];
  // It takes a moment for each, as a pipe that is full.
  const stdout = new Writable({
    highWaterMark: 16 * 1024,
    write(chunk: Buffer, _, done) {
      setImmediate(() => {
        read.push(chunk.toString());
        done();
      });
    },
  });
  const output = new Output({ stdout, stderr: new Writable({ write: (_, __, done) => done() }) });
  const texts = ['a'.repeat(64 * 1024), 'b'.repeat(64 * 1024), 'the end\n'];
  for (const text of texts) await output.write(text);
  assert.equal(read.join('').length, texts.join('').length);
});
