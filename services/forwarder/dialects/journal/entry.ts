// A journal entry to a record (https://www.freedesktop.org/software/systemd/man/latest/systemd.journal-fields.html).
// All fields are kept; those that the indexer looks for get the names that it knows:
//
//   MESSAGE                log                  PRIORITY 0…7        log.level emerg … debug (and PRIORITY)
//   _HOSTNAME              host.name            CONTAINER_ID_FULL, CONTAINER_NAME, IMAGE_NAME   container.*
//   SYSLOG_IDENTIFIER      service.name, else _SYSTEMD_UNIT or _COMM (and under its own name)
//   __REALTIME_TIMESTAMP   the time, microseconds (_SOURCE_REALTIME_TIMESTAMP stays a field)
//
// A field that is there several times becomes an array. __CURSOR names the entry: it is the same when it is uploaded
// again.

import { contentOf, type EventsName } from '../../decode/content-name.ts';
import { type EventTime, RECEIVE_TIME } from '#shared/record/event-time.ts';
import { EntryBuilder, Pairs, keyOf } from '#shared/otlp/entry-builder.ts';
import type { JournalField } from './export-format.ts';

export interface JournalEntry {
  /** By its cursor; null where there is none. */
  readonly name: EventsName | null;
  readonly entries: Uint8Array;
}

const KEYS: ReadonlyMap<string, Buffer> = new Map([
  ['MESSAGE', keyOf('log')],
  ['_HOSTNAME', keyOf('host.name')],
  ['CONTAINER_ID_FULL', keyOf('container.id')],
  ['CONTAINER_NAME', keyOf('container.name')],
  ['IMAGE_NAME', keyOf('container.image.name')],
]);
const LEVEL = keyOf('log.level');
const SERVICE = keyOf('service.name');
/** The first of them that is there names the service. */
const SERVICES = ['SYSLOG_IDENTIFIER', '_SYSTEMD_UNIT', '_COMM'];
const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'].map((level) => keyOf(level));
const US_PER_SECOND = 1_000_000;
const ZERO = 0x30;

/** @param bytesMax of the entry; null where it is more. */
export function journalEntry(fields: readonly JournalField[], bytesMax: number): JournalEntry | null {
  const values = byName(fields);
  const pairs = new Pairs();
  for (const [name, [first, ...others]] of values) {
    if (first === undefined || name === '__CURSOR' || name === '__REALTIME_TIMESTAMP') continue;
    const key = others.length === 0 ? KEYS.get(name) : undefined;
    const writer = key ? pairs.key(key) : pairs.textKey(Buffer.from(name, 'latin1'));
    if (others.length > 0) writer.arrayHeader(others.length + 1);
    for (const value of [first, ...others]) writer.stringBytes(value);
  }
  const service = SERVICES.map((name) => values.get(name)?.[0]).find((value) => value !== undefined);
  if (service) pairs.key(SERVICE).stringBytes(service);
  const priority = values.get('PRIORITY')?.[0];
  const level = priority?.length === 1 ? LEVELS[(priority[0] ?? 0) - ZERO] : undefined;
  if (level) pairs.key(LEVEL).raw(level);
  const entries = new EntryBuilder(pairs.writer.length + 32, bytesMax);
  entries.add(timeOf(values.get('__REALTIME_TIMESTAMP')?.[0]), pairs);
  if (entries.tooLarge) return null;
  const chunkId = values.get('__CURSOR')?.[0];
  const sent = fields.flatMap(({ name, value }) => [name, '=', value, '\n']);
  return { name: chunkId ? { chunkId, content: contentOf(...sent) } : null, entries: entries.bytes };
}

function byName(fields: readonly JournalField[]): Map<string, Buffer[]> {
  const values = new Map<string, Buffer[]>();
  for (const { name, value } of fields) {
    const known = values.get(name);
    if (known) known.push(value);
    else values.set(name, [value]);
  }
  return values;
}

/**
 * Without a possible time it is "when received", so that the entry is the same when it comes again.
 */
function timeOf(text: Buffer | undefined): EventTime {
  const us = text && /^\d{1,16}$/.test(text.toString('latin1')) ? Number(text.toString('latin1')) : 0;
  return us === 0 || us > Number.MAX_SAFE_INTEGER
    ? RECEIVE_TIME
    : { seconds: Math.floor(us / US_PER_SECOND), nanoseconds: (us % US_PER_SECOND) * 1000 };
}
