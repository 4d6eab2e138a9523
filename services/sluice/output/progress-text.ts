// How far a command is, and how large something is, as people read it. Pure.

const BAR_LETTERS = 20;
const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** `[#####...............] `; nothing where no terminal is. `share`: 0 to 1. */
export function progressBar(share: number, isTerminal: boolean): string {
  if (!isTerminal) return '';
  const full = Math.floor(Math.min(1, Math.max(0, share)) * BAR_LETTERS);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_LETTERS - full)}] `;
}

export function sizeText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`;
}

export function clockText(seconds: number): string {
  const whole = Math.min(Math.ceil(seconds), 359_999);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return parts
    .slice(parts[0] === 0 ? 1 : 0)
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

export const countText = (count: number): string => count.toLocaleString('en-US');

export interface Done {
  /** 0 to 1. */
  readonly share: number;
  readonly elapsedMs: number;
  readonly isTerminal: boolean;
}

/** `[#####...............] 25 %, 1,200,000 documents, 80,000/s, 00:42 left`; the bar on a terminal only. */
export function documentsProgress(documents: number, { share, elapsedMs, isTerminal }: Done): string {
  const seconds = Math.max(1, elapsedMs) / 1000;
  const left = share > 0 && share < 1 ? `, ${clockText((seconds * (1 - share)) / share)} left` : '';
  const percent = Math.floor(Math.min(1, share) * 100);
  const rate = countText(Math.round(documents / seconds));
  return `${progressBar(share, isTerminal)}${percent} %, ${countText(documents)} documents, ${rate}/s${left}`;
}
