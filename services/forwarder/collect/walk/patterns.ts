// The patterns of a rule, by their segments: which paths it asks for, and where its trees begin. Pure.

import { basename } from 'node:path';
import { ANY_FOLDERS, matchesPath, type Segment, segmentsOf } from '../../decode/files/path-pattern.ts';
import type { SourceRule } from '../sources/source-form.ts';

export class Patterns {
  readonly rule: SourceRule;
  /** From this segment on no link is followed. */
  readonly rootDepth: number;
  readonly include: readonly (readonly Segment[])[];
  readonly #exclude: readonly { readonly isName: boolean; readonly segments: readonly Segment[] }[];

  constructor(rule: SourceRule) {
    this.rule = rule;
    this.rootDepth = rule.form === undefined ? Infinity : segmentsOf(rule.form.root).length;
    this.include = rule.include.map((pattern) => segmentsOf(pattern.endsWith('/**') ? `${pattern}/*` : pattern));
    this.#exclude = (rule.exclude ?? []).map((pattern) => ({
      isName: !pattern.includes('/'),
      segments: segmentsOf(pattern),
    }));
  }

  /** Whether it asks for the path. */
  covers(path: string): boolean {
    return this.include.some((segments) => matchesPath(segments, path)) && !this.excludes(path);
  }

  excludes(path: string): boolean {
    return this.#exclude.some(({ isName, segments }) => matchesPath(segments, isName ? basename(path) : path));
  }
}

/** The segment that is the first to match names; -1 where there is none. */
export function firstWild(segments: readonly Segment[]): number {
  return segments.findIndex((segment) => typeof segment !== 'string' || segment === ANY_FOLDERS);
}
