// A store as Sluice made it before there were blocks: a row and a full-text posting for each document.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface OldDocument {
  readonly id: string;
  readonly tag: string;
  /** As JSON, with its `@timestamp`. */
  readonly source: string;
}

const TABLES = `
  CREATE TABLE origins (
    rowid INTEGER PRIMARY KEY, stream TEXT NOT NULL, container_id TEXT NOT NULL, container_name TEXT NOT NULL,
    service TEXT NOT NULL, tag TEXT NOT NULL, UNIQUE (stream, container_id, container_name, service, tag)
  ) STRICT;
  CREATE TABLE documents (
    rowid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, origin INTEGER NOT NULL, time INTEGER NOT NULL,
    sequence INTEGER NOT NULL, ingested INTEGER NOT NULL, source TEXT NOT NULL
  ) STRICT;
  CREATE INDEX documents_by_time ON documents (time, sequence);
  CREATE INDEX documents_by_origin ON documents (origin, time, sequence);
  CREATE INDEX documents_by_arrival ON documents (origin, sequence, time);
  CREATE INDEX documents_by_ingested ON documents (ingested);
  CREATE VIRTUAL TABLE words USING fts5 (
    message, attributes, content = '', contentless_delete = 1,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* Co' tokenchars '_'"
  );
`;

/** Version 3: with pods and tenants among the names. */
const ORIGINS_WITH_PODS = `
  DROP TABLE origins;
  CREATE TABLE origins (
    rowid INTEGER PRIMARY KEY, stream TEXT NOT NULL, container_id TEXT NOT NULL, container_name TEXT NOT NULL,
    service TEXT NOT NULL, pod TEXT NOT NULL DEFAULT '', tag TEXT NOT NULL,
    tenant TEXT NOT NULL DEFAULT '',
    UNIQUE (stream, container_id, container_name, service, pod, tag)
  ) STRICT;
`;

/** `version`: 2 has a column of when a document arrived; 3 has pods, here `pod-of-<tag>`. */
export function makeOldStore(dataDir: string, documents: readonly OldDocument[], version: 1 | 2 | 3 = 1): void {
  mkdirSync(join(dataDir, 'store'), { recursive: true });
  const database = new DatabaseSync(join(dataDir, 'store', 'documents.sqlite'));
  database.exec('PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL');
  database.exec(`BEGIN; ${TABLES} PRAGMA user_version = ${version}`);
  if (version >= 2) database.exec('ALTER TABLE documents ADD COLUMN created INTEGER');
  if (version === 3) database.exec(ORIGINS_WITH_PODS);
  const pod = version === 3 ? { column: ', pod', value: ", 'pod-of-' || :tag" } : { column: '', value: '' };
  const origin = database.prepare(
    `INSERT INTO origins (stream, container_id, container_name, service, tag${pod.column})
     VALUES ('logs-sluice-default', '', '', '', :tag${pod.value})
     ON CONFLICT DO UPDATE SET tag = excluded.tag RETURNING rowid`,
  );
  const insert = database.prepare(
    'INSERT INTO documents (id, origin, time, sequence, ingested, source) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const words = database.prepare("INSERT INTO words (rowid, message, attributes) VALUES (?, ?, '')");
  for (const [i, { id, tag, source }] of documents.entries()) {
    const fields = JSON.parse(source) as { '@timestamp': string; message?: string };
    const ms = Date.parse(fields['@timestamp']);
    insert.run(id, Number(origin.get({ tag })?.['rowid']), BigInt(ms) * 1_000_000n, i, ms, source);
    words.run(i + 1, fields.message ?? '');
  }
  database.exec('COMMIT');
  database.close();
}
