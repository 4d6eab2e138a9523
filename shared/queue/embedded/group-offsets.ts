// How far each group has read the log. Records that every group has read may be removed.
//
// The folder belongs to one process, so every reader has joined in this process. A group that was renamed, or tried
// once, never joins again, and would keep its unread records for ever. So once a group has joined, the groups that have
// not joined count only while there is space, and for a week of passed time at most. Both cases are reported. While no
// group has joined, all count.
//
// Every group that has joined has consumed what is removed this way: it is indexed, or among the dead letters. A new
// group starts with the first record that is still there, so that nothing is skipped between an old name and a new one.
//
// The table also counts how often a reader started at the offset without getting past it: the record there may be what
// ends the reader.

import type { DatabaseSync, StatementSync } from 'node:sqlite';

const KEPT_MS = 7 * 86_400_000;

interface Group {
  readonly name: string;
  readonly next: number;
  /** Passed time when a process last had joined it. */
  readonly seenMs: number;
}

export class GroupOffsets {
  readonly #tell: (message: string) => void;
  readonly #joined = new Set<string>();
  /** Those that were reported. */
  readonly #told = new Set<string>();
  readonly #put: StatementSync;
  readonly #get: StatementSync;
  readonly #all: StatementSync;
  readonly #remove: StatementSync;
  readonly #see: StatementSync | null;
  readonly #try: StatementSync | null;

  constructor(database: DatabaseSync, { readOnly, tell }: { readonly readOnly: boolean; tell(message: string): void }) {
    this.#tell = tell;
    this.#put = database.prepare(
      readOnly
        ? 'INSERT INTO group_offsets (name, next) VALUES (?, ?)'
        : `INSERT INTO group_offsets (name, next) VALUES (?, ?) ON CONFLICT (name) DO UPDATE
           SET tries = iif(next = excluded.next, tries, 0), next = excluded.next`,
    );
    this.#get = database.prepare('SELECT next FROM group_offsets WHERE name = ?');
    this.#all = database.prepare(`SELECT name, next, ${readOnly ? 'NULL AS seen' : 'seen'} FROM group_offsets`);
    this.#remove = database.prepare('DELETE FROM group_offsets WHERE name = ?');
    // A log of an earlier version has no such columns, until it is opened for writing.
    this.#see = readOnly ? null : database.prepare('UPDATE group_offsets SET seen = ? WHERE name = ?');
    this.#try = readOnly
      ? null
      : database.prepare('UPDATE group_offsets SET tries = min(tries + 1, 999999) WHERE name = ? RETURNING tries');
  }

  /** Next offset of the group, or null if it never committed. */
  committed(group: string): number | null {
    const row = this.#get.get(group);
    return row === undefined ? null : Number(row['next']);
  }

  commit(commits: readonly (readonly [group: string, next: number])[]): void {
    for (const [group, next] of commits) this.#put.run(group, next);
  }

  join(group: string, next: number, passedMs: number): void {
    this.#joined.add(group);
    if (this.committed(group) === null) this.#put.run(group, next);
    this.#see?.run(passedMs, group);
  }

  /** The group begins to read where it stands, once more. Returns how many times it has, with this one. */
  try(group: string): number {
    return Number(this.#try?.get(group)?.['tries'] ?? 0);
  }

  /** Reports those that nobody has joined and that keep records; each once. */
  tellOfOthers(end: number): void {
    for (const { name, next } of this.#others()) {
      if (next >= end || this.#told.has(name)) continue;
      this.#told.add(name);
      this.#tell(
        `The group ${name} has not read the last ${end - next} records of the queue, and nobody reads as that group ` +
          'now. What it has not read is kept for it while there is room, a week at most. If it was only renamed ' +
          '(SLUICE_KAFKA_GROUP), nothing need be done',
      );
    }
  }

  /** Offset before which records may be removed. */
  consumed({ needsRoom }: { readonly needsRoom: boolean }): number {
    const groups = this.#groups();
    const counted = needsRoom && this.#joined.size > 0 ? groups.filter(({ name }) => this.#joined.has(name)) : groups;
    if (counted.length === 0) return 0;
    return counted.reduce((lowest, { next }) => Math.min(lowest, next), Number.POSITIVE_INFINITY);
  }

  /**
   * Notes who has joined, and lets go of those that nobody has joined for too long. In a transaction of whoever calls.
   */
  tend(passedMs: number): void {
    // While nobody reads at all, nobody has left a group behind.
    const seen = this.#joined.size > 0 ? this.#joined : this.#groups().map(({ name }) => name);
    for (const group of seen) this.#see?.run(passedMs, group);
    for (const { name, seenMs } of this.#others()) {
      if (seenMs < 0) this.#see?.run(passedMs, name);
      else if (passedMs - seenMs >= KEPT_MS) {
        this.#remove.run(name);
        this.#tell(`The queue keeps nothing for the group ${name} any more: nobody has read as that group for a week`);
      }
    }
  }

  /** Empty while nobody has joined. */
  #others(): Group[] {
    return this.#joined.size === 0 ? [] : this.#groups().filter(({ name }) => !this.#joined.has(name));
  }

  #groups(): Group[] {
    return this.#all.all().map((row) => ({
      name: String(row['name']),
      next: Number(row['next']),
      seenMs: row['seen'] === null ? -1 : Number(row['seen']),
    }));
  }
}
