// What `sluice import` says: how far it is, and what it has done. Pure.

import type { ImportedFile } from '#forwarder/collect/imports/file-imports.ts';

const BAR_LETTERS = 20;
const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

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
  const full = Math.floor(share * BAR_LETTERS);
  const bar = isTerminal ? `[${'#'.repeat(full)}${'.'.repeat(BAR_LETTERS - full)}] ` : '';
  const seconds = Math.max(1, elapsedMs) / 1000;
  const left = share === 0 ? '' : `, ${clockText((seconds * (1 - share)) / share)} left`;
  const rate = Math.round(lines / seconds).toLocaleString('en-US');
  return `${bar}${Math.floor(share * 100)} %, ${sizeText(bytesRead)} of ${sizeText(bytes)}, ${rate} lines/s${left}`;
}

export function summary(files: readonly ImportedFile[]): string {
  const { lines, knownLines, bytesRead, refused } = sumsOf(files);
  const counts = [
    `${lines.toLocaleString('en-US')} lines imported`,
    `${knownLines.toLocaleString('en-US')} already there`,
    `${sizeText(bytesRead)} read of ${files.length} ${files.length === 1 ? 'file' : 'files'}`,
    `${refused} refused`,
  ];
  return `${counts.join(', ')}\n`;
}

export function summaryJson(files: readonly ImportedFile[]): string {
  const { lines, knownLines, bytesRead, refused } = sumsOf(files);
  return `${JSON.stringify({ lines, already_there: knownLines, bytes: bytesRead, files: files.length, refused })}\n`;
}

function sizeText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`;
}

function clockText(seconds: number): string {
  const whole = Math.min(Math.ceil(seconds), 359_999);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return parts
    .slice(parts[0] === 0 ? 1 : 0)
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}
