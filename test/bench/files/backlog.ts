// The backlog of the bench of files: so many files of about the same size, whose lines tell which they are.

import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Chance, lineOf } from './lines.ts';

/** When its first lines were written, as they say. */
export const BEGAN_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const LINES_PER_WRITE = 2000;

export interface Backlog {
  readonly folder: string;
  readonly files: number;
  /** Of each file. */
  readonly linesPerFile: number;
  readonly bytes: number;
}

/** Writes files of `bytes` in all; each has as many lines. */
export function writeBacklog(folder: string, files: number, bytes: number): Backlog {
  const linesPerFile = Math.ceil(bytes / files / sizeOfLine());
  let written = 0;
  mkdirSync(folder, { recursive: true });
  for (let file = 0; file < files; file += 1) {
    const descriptor = openSync(join(folder, nameOf(file)), 'w');
    const chance = new Chance(file);
    for (let from = 0; from < linesPerFile; from += LINES_PER_WRITE) {
      let text = '';
      for (let number = from; number < Math.min(linesPerFile, from + LINES_PER_WRITE); number += 1)
        text += lineOf(new Date(BEGAN_MS + number * 20).toISOString(), file, number, chance);
      written += writeSync(descriptor, text);
    }
    closeSync(descriptor);
  }
  return { folder, files, linesPerFile, bytes: written };
}

export function nameOf(file: number): string {
  return `service-${String(file).padStart(4, '0')}.log`;
}

function sizeOfLine(): number {
  const chance = new Chance(0);
  let bytes = 0;
  for (let number = 0; number < 1000; number += 1) bytes += lineOf(new Date(0).toISOString(), 1, number, chance).length;
  return bytes / 1000;
}
