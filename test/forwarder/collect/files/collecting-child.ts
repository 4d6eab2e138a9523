// A process that collects files until somebody kills it, and writes what its intake holds to a file, a line for each
// event: its name, and its text as JSON. Arguments: the folder of the data, the file, and patterns
// of paths; or `pods:` or `docker:` and a folder of containers; or `journal:` and a folder of journals. Lines of its
// input: `clock MS`, by how much its clock is wrong from now on; `refuse` and `accept`, what its intake does;
// `figures`, which it then tells.

import { openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Clock, systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { FilesInput } from '#forwarder/collect/files-input.ts';
import { dockerRule } from '#forwarder/collect/sources/docker-logs.ts';
import { podRule } from '#forwarder/collect/sources/pod-logs.ts';
import type { SourceRule } from '#forwarder/collect/sources/source-form.ts';
import { FileTelemetry } from '#forwarder/collect/files/telemetry.ts';
import { JournalInput } from '#forwarder/collect/journal-input.ts';
import { JournalTelemetry } from '#forwarder/collect/journal/telemetry.ts';
import { namedRecord } from '../journal/journal-world.ts';
import { RecordingIntake, namedRecords } from './file-world.ts';

const [dataDir = '', heldFile = '', ...include] = process.argv.slice(2);
const held = openSync(heldFile, 'a');
let clockMs = Number(process.env['SLUICE_TEST_CLOCK_MS'] ?? 0);
let isRefusing = false;
const clock: Clock = { ...systemClock, epochMs: () => systemClock.epochMs() + clockMs };
const [, journals = null] = /^journal:(.*)$/.exec(include[0] ?? '') ?? [];
const tell = (event: string, about?: object): void => {
  process.stdout.write(`${JSON.stringify({ event, ...about })}\n`);
};
const intake = new RecordingIntake();
intake.before = (chunk) => {
  if (isRefusing) return Promise.reject(new Error('it is to refuse'));
  const records = chunk.chain === undefined ? [namedRecord(chunk)] : namedRecords(chunk);
  const lines = records.map(([name, record]) => {
    const { message, log } = record as { message?: string; log?: string };
    return `${name} ${JSON.stringify(message ?? log)}\n`;
  });
  writeSync(held, lines.join(''));
  return new Promise((resolve) => setImmediate(resolve));
};
const metrics = new Metrics({ version: '0', command: 'test' }, { ofProcess: false });
const log = { debug: tell, info: tell, warn: tell, error: tell };
const common = { host: 'node-1', intake, room: intake, clock };
const input = new FilesInput({
  ...common,
  rules: journals === null ? [ruleOf(include)] : [],
  watches: true,
  openFilesMax: 1000,
  dataDir,
  newTelemetry: (figures) => new FileTelemetry(metrics, log, figures),
});
const journal =
  journals === null
    ? null
    : new JournalInput({
        ...common,
        rule: { directory: journals },
        entryBytesMax: 1024 * 1024,
        checkpoints: () => input.checkpoints,
        newTelemetry: (figures) => new JournalTelemetry(metrics, log, figures),
      });

function ruleOf(what: readonly string[]): SourceRule {
  const [, kind = '', path = ''] = /^(pods|docker):(.*)$/.exec(what[0] ?? '') ?? [];
  if (kind === 'pods') return podRule({ path }, 'node-1');
  return kind === 'docker' ? dockerRule({ path }, 'node-1') : { include: [...what] };
}

process.on('SIGTERM', () => {
  void (async () => {
    await journal?.close();
    await input.close();
    process.exit(0);
  })();
});
// It ends with whoever has started it, however that ends.
const commands = createInterface({ input: process.stdin }).on('close', () => process.exit(1));
commands.on('line', (line) => {
  const [command, value] = line.split(' ');
  if (command === 'clock') clockMs = Number(value);
  else if (command === 'figures') tell('figures', input.figures);
  else isRefusing = command === 'refuse';
});
