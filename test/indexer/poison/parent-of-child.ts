// Starts the planted child, has it open a record that hangs, and prints its pid once it does.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ToParent } from '#indexer/poison/messages.ts';
import { encodeBatches } from '#shared/record/record.ts';
import { World } from '../world.ts';

const child = fork(fileURLToPath(new URL('./planted-child.ts', import.meta.url)), [], { serialization: 'advanced' });
child.on('message', (message: ToParent) => {
  if (message.kind === 'ready') child.send({ kind: 'open', record });
  if (message.kind === 'progress' && message.progress.doing.startsWith('decompressing')) console.log(child.pid);
});
const limits = { turnMs: 3_600_000, runMs: 3_600_000, heapMb: 64, growthBytes: 1e9 };
const lines = { timeoutMs: 1000, lineBytesMax: 1e6, bytesMax: 1e6 };
const options = { bytesMax: 1e6, documentBytesMax: 1e6, bodyBytesMax: 1e6, trustedTenants: [], lines };
child.send({ kind: 'begin', options, limits });

const world = new World();
const headers = { v: Buffer.from('2'), encoding: Buffer.from('gzip'), batches: encodeBatches([world.batch(1)]) };
const value = world.entry({ log: 'POISON hang' });
const record = { partition: 0, offset: 0, timestampMs: 0, headers, value };
