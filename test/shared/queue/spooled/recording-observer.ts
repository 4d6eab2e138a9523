// Keeps what a spool tells: sums of its events, and its words in order.

import type { DropReason, SpoolObserver } from '#shared/queue/spooled/local/spool-observer.ts';

export class RecordingObserver implements SpoolObserver {
  readonly events = { spooled: 0, found: 0, fed: 0, deadLettered: 0, dropped: 0 };
  readonly dropReasons = new Set<DropReason>();
  readonly words: string[] = [];

  /** Events that must be in the spool, by what was told. */
  get held(): number {
    const { spooled, found, fed, deadLettered, dropped } = this.events;
    return spooled + found - fed - deadLettered - dropped;
  }

  spooled(events: number): void {
    this.events.spooled += events;
  }

  found(events: number): void {
    this.events.found += events;
  }

  fed(events: number): void {
    this.events.fed += events;
  }

  deadLettered(events: number): void {
    this.events.deadLettered += events;
  }

  dropped(events: number, reason: DropReason): void {
    this.events.dropped += events;
    this.dropReasons.add(reason);
  }

  entered(): void {
    this.words.push('entered');
  }

  left(): void {
    this.words.push('left');
  }

  failing(reason: string): void {
    this.words.push(`failing: ${reason}`);
  }

  stuck(): void {
    this.words.push('stuck');
  }
}
