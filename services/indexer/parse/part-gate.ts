// Which entries may end a line that was begun in an earlier one of the same source, where nothing in them says so: only
// of a source whose line is begun; and those that did end one, and come again. Pure.

export class PartGate {
  /** Of the entries that follow: whether a source has a line that is begun; null where none has. */
  isBegun: ((source: string) => boolean) | null = null;
  /** Whether the one of this index ended a line that was passed on; null where none did. */
  isPassed: ((index: number) => boolean) | null = null;
}
