// What the lines of a source are: those of a plain file, or those of a container, whose rule has a form of its own
// (pod-logs.ts). Here is what the collector asks of each.

import type { FileRule } from '#shared/config/settings/file-rules.ts';
import { encodingOf } from '../../decode/files/file-encoding.ts';
import type { FileEntries, LinePlace } from '../../decode/files/file-entries.ts';
import { fieldsOfFile, LineEntries } from '../../decode/files/line-entries.ts';
import type { Source } from '../checkpoints/generations.ts';
import { tagOfPath } from '../../decode/files/source-path.ts';

export interface SourceFacts {
  readonly tag: string;
  /** `head`: the first bytes of the file. `place`: where its reading begins. */
  readonly newEntries: (head: Uint8Array, place: LinePlace) => FileEntries;
  /** The form's; null: links are followed. */
  readonly root: string | null;
  /** How long its first lines must wait for what is known of it; asked before each turn. Absent: never. */
  readonly waitMs?: () => number;
}

export interface SourceForm {
  /**
   * Their folder, which no link may lead out of: it may lead to any file of the machine, and whoever writes to a folder
   * of containers need not be its operator.
   */
  readonly root: string;
  /**
   * What is said of the source, and is kept with its checkpoint from its first line on; null: it is not wanted. Rejects
   * where nobody knows. Absent: its path says all. `kept`: what is, if the source is known; else empty.
   */
  facts?(source: string, kept: string): Promise<string | null>;
  /** `facts` as kept. They are part of the names of its lines: the same source has the same. */
  factsOf(source: string, facts: string): SourceFacts;
}

/** A rule of the settings; those of containers have a form, and no links are followed from their folders. */
export type SourceRule = FileRule & { readonly form?: SourceForm };

export function factsOf(
  { path, facts }: Pick<Source, 'path' | 'facts'>,
  { tag, encoding, form }: SourceRule,
  host: string,
): SourceFacts {
  if (form !== undefined) return form.factsOf(path, facts);
  const fields = fieldsOfFile(path, host);
  return {
    tag: tag ?? tagOfPath(path),
    root: null,
    newEntries: (head, place) => new LineEntries({ fields, encoding: encodingOf(head, encoding) }, place),
  };
}
