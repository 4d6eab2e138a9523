// The thread of the checkpoints: opens their database, gives all of it at the start, page by page, and writes what has
// changed, one transaction at a time, synced. Started by `startWorker('checkpoint-thread', …)`; nothing else may
// import it, but for its types.
//
// Checkpoints only save reading, except for one thing: the numbers of generations, which no two files of a name may
// share. So a number is written before the first line of its file goes to the queue.

import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { isDamaged, lockFolder, makeFolder, openDatabase, setAside } from '#shared/sqlite/database.ts';
import { serveWorker } from '#shared/sqlite/worker-thread.ts';
import { prepareAdded, removeOpenLines } from './added-tables.ts';
import {
  type CheckpointRows,
  type GenerationRow,
  pageAfter,
  prepareSchema,
  putGenerations,
  putSources,
} from './checkpoint-rows.ts';
import { GONE_MS_MAX, KNOWN_BYTES_MAX } from './forgetting.ts';
import { firstNumberOf, forgetInSteps, forgetSources, giveBackPages } from './forgotten-rows.ts';
import { type JournalPlace, journalPlaceOf, prepareJournalPlaces, putJournalPlaces } from './journal-places.ts';

export interface CheckpointChanges extends CheckpointRows {
  /** Paths of sources of which nothing is known any more; done before all else. */
  readonly forgotten: readonly string[];
  /** See `Generations`. */
  readonly firstNumber: number;
  readonly removedGenerations: readonly Pick<GenerationRow, 'source' | 'number'>[];
  readonly removedExamined: readonly string[];
}

export interface CheckpointMethods {
  /**
   * Forgets what need not be loaded. `setAside`: where a damaged database lies now, if there was one; `forgotten`: how
   * many sources were.
   */
  begin(argument: { readonly nowMs: number }): {
    readonly setAside: string | null;
    readonly firstNumber: number;
    readonly forgotten: number;
  };
  /** What follows the page that ended so; null: the first. */
  load(argument: { readonly after: string | null }): CheckpointRows & { readonly next: string | null };
  journalPlace(argument: { readonly journal: string }): JournalPlace | null;
  save(changes: SavedChanges): void;
}

type SavedChanges = CheckpointChanges & { readonly journals: readonly JournalPlace[] };

serveWorker<{ readonly folder: string }, CheckpointMethods>(({ folder }) => {
  makeFolder(folder);
  const lock = lockFolder(folder);
  const file = join(folder, 'files.sqlite');
  let aside: string | null = null;
  let database: DatabaseSync;
  try {
    database = open(file);
  } catch (error) {
    if (!isDamaged(error)) throw error;
    aside = setAside(file, new Date());
    database = open(file);
  }
  return {
    methods: {
      begin({ nowMs }) {
        const forgotten = forgetInSteps(database, { goneBeforeMs: nowMs - GONE_MS_MAX, bytesMax: KNOWN_BYTES_MAX });
        return { setAside: aside, firstNumber: firstNumberOf(database), forgotten };
      },
      load: ({ after }) => pageAfter(database, after),
      journalPlace: ({ journal }) => journalPlaceOf(database, journal),
      save: (changes) => save(database, changes),
    },
    close() {
      database.close();
      lock[Symbol.dispose]();
    },
  };
});

function open(file: string): DatabaseSync {
  return openDatabase(file, { readOnly: false, timeoutMs: 1000 }, (database) => {
    database.exec('PRAGMA auto_vacuum = INCREMENTAL');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    prepareSchema(database);
    const problem = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (problem !== 'ok') throw Object.assign(new Error(String(problem)), { errcode: SQLITE_CORRUPT });
    prepareAdded(database);
    prepareJournalPlaces(database);
  });
}

const SQLITE_CORRUPT = 11;

function save(database: DatabaseSync, changes: SavedChanges): void {
  const { forgotten, firstNumber, sources, generations, examined, removedGenerations, removedExamined } = changes;
  const putExamined = database.prepare('INSERT OR REPLACE INTO examined (identity, size) VALUES (?, ?)');
  const removeGeneration = database.prepare('DELETE FROM generation WHERE source = ? AND number = ?');
  const removeExamined = database.prepare('DELETE FROM examined WHERE identity = ?');
  database.exec('BEGIN IMMEDIATE');
  try {
    forgetSources(database, forgotten, firstNumber);
    putSources(database, sources);
    putGenerations(database, generations);
    for (const { identity, size } of examined) putExamined.run(identity, size);
    for (const { source, number } of removedGenerations) removeGeneration.run(source, number);
    removeOpenLines(database, removedGenerations);
    for (const identity of removedExamined) removeExamined.run(identity);
    putJournalPlaces(database, changes.journals);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
  if (forgotten.length > 0) giveBackPages(database);
}
