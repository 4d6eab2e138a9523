// What is different where records are indexed once more: `sluice reindex` wants the events of a range of time only, and
// may put them into another data stream. Types only.

export interface RewindDifferences {
  /**
   * Whether an event is wanted that the edge took at this time, ms since the epoch; of a joined line, its first part's.
   * `partial`: it is a line of which parts are missing.
   */
  readonly wants: (receivedMs: number, partial: boolean) => boolean;
  /** Where all documents go; absent: where they belong. */
  readonly dataStream?: string | undefined;
}
