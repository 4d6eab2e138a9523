// A process that collects files until somebody kills it, and writes what its intake holds to a file, a line for each
// event: its name, and its text as JSON. Arguments: the folder of the data, the file, and patterns
// of paths; or `pods:` or `docker:`
// and a folder of containers.

import { openSync, writeSync } from 'node:fs';
import { systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { FilesInput } from '#forwarder/collect/files-input.ts';
import { dockerRule } from '#forwarder/collect/sources/docker-logs.ts';
import { podRule } from '#forwarder/collect/sources/pod-logs.ts';
import type { SourceRule } from '#forwarder/collect/sources/source-form.ts';
import { FileTelemetry } from '#forwarder/collect/files/telemetry.ts';
import { RecordingIntake, namedRecords } from './file-world.ts';

const [dataDir = '', heldFile = '', ...include] = process.argv.slice(2);
const held = openSync(heldFile, 'a');
const tell = (event: string, about?: object): void => {
  process.stdout.write(`${JSON.stringify({ event, ...about })}\n`);
};
const intake = new RecordingIntake();
intake.before = (chunk) => {
  const lines = namedRecords(chunk).map(([name, record]) => {
    const { message, log } = record as { message?: string; log?: string };
    return `${name} ${JSON.stringify(message ?? log)}\n`;
  });
  writeSync(held, lines.join(''));
  return new Promise((resolve) => setImmediate(resolve));
};
const metrics = new Metrics({ version: '0', command: 'test' }, { ofProcess: false });
const input = new FilesInput({
  rules: [ruleOf(include)],
  host: 'node-1',
  watches: true,
  openFilesMax: 1000,
  dataDir,
  intake,
  room: intake,
  clock: systemClock,
  newTelemetry: (figures) => new FileTelemetry(metrics, { debug: tell, info: tell, warn: tell, error: tell }, figures),
});

function ruleOf(what: readonly string[]): SourceRule {
  const [, kind = '', path = ''] = /^(pods|docker):(.*)$/.exec(what[0] ?? '') ?? [];
  if (kind === 'pods') return podRule({ path }, 'node-1');
  return kind === 'docker' ? dockerRule({ path }, 'node-1') : { include: [...what] };
}

process.on('SIGTERM', () => void input.close().then(() => process.exit(0)));
// It ends with whoever has started it, however that ends.
process.stdin.resume().on('end', () => process.exit(1));
