// What `sluice import` says: how far it is, and what it has done. Pure.

import type { ImportedFile } from '#forwarder/collect/imports/file-imports.ts';
import { clockText, countText, progressBar, sizeText } from '../output/progress-text.ts';

export interface ImportSums {
  readonly files: number;
  readonly refused: number;
  readonly bytes: number;
  readonly bytesRead: number;
  readonly lines: number;
  readonly knownLines: number;
}

export function sumsOf(files: readonly ImportedFile[]): ImportSums {
  const sum = (key: 'bytes' | 'bytesRead' | 'lines' | 'knownLines'): number =>
    files.reduce((total, file) => total + file[key], 0);
  return {
    files: files.length,
    refused: files.filter(({ refusal }) => refusal !== null).length,
    bytes: sum('bytes'),
    bytesRead: sum('bytesRead'),
    lines: sum('lines'),
    knownLines: sum('knownLines'),
  };
}

/** `[#####...............] 25 %, 1.2 of 4.8 GB, 120,000 lines/s, 00:42 left`; without the bar where no terminal is. */
export function progressLine(files: readonly ImportedFile[], elapsedMs: number, isTerminal: boolean): string {
  const { bytes, bytesRead, lines } = sumsOf(files);
  const share = bytes === 0 ? 0 : Math.min(1, bytesRead / bytes);
  const bar = progressBar(share, isTerminal);
  const seconds = Math.max(1, elapsedMs) / 1000;
  const left = share === 0 ? '' : `, ${clockText((seconds * (1 - share)) / share)} left`;
  const rate = countText(Math.round(lines / seconds));
  return `${bar}${Math.floor(share * 100)} %, ${sizeText(bytesRead)} of ${sizeText(bytes)}, ${rate} lines/s${left}`;
}

export function summary(files: readonly ImportedFile[]): string {
  const { lines, knownLines, bytesRead, refused } = sumsOf(files);
  const counts = [
    `${countText(lines)} lines imported`,
    `${countText(knownLines)} already there`,
    `${sizeText(bytesRead)} read of ${files.length} ${files.length === 1 ? 'file' : 'files'}`,
    `${refused} refused`,
  ];
  return `${counts.join(', ')}\n`;
}

export function summaryJson(files: readonly ImportedFile[]): string {
  const { lines, knownLines, bytesRead, refused } = sumsOf(files);
  return `${JSON.stringify({ lines, already_there: knownLines, bytes: bytesRead, files: files.length, refused })}\n`;
}
