// Adds up what an input of datagrams has to drop, so that a flood is logged in a line a second.

import type { Clock } from '#shared/clock.ts';
import type { InputName } from '../../intake/chunk.ts';
import type { ForwarderTelemetry } from '../../intake/telemetry.ts';

/** `gelf_…`: chunks of a message that were given up because others did not come in time, or for want of room. */
export type DropReason =
  'udp_no_room' | 'not_allowed' | 'address_rate' | 'gelf_incomplete' | 'gelf_no_room' | 'shutting_down';

export interface DropTallyOptions {
  readonly input: InputName;
  readonly telemetry: ForwarderTelemetry;
  readonly clock: Clock;
}

const REPORT_INTERVAL_MS = 1000;

/** When it ends, it reports what it has not reported yet. */
export class DropTally implements Disposable {
  readonly #options: DropTallyOptions;
  readonly #dropped = new Map<DropReason, { events: number; bytes: number }>();
  #timer: Disposable | null = null;

  constructor(options: DropTallyOptions) {
    this.#options = options;
  }

  /** Counts an event. */
  add(reason: DropReason, bytes: number): void {
    const sum = this.#dropped.get(reason) ?? { events: 0, bytes: 0 };
    sum.events += 1;
    sum.bytes += bytes;
    this.#dropped.set(reason, sum);
    this.#timer ??= this.#options.clock.timer(REPORT_INTERVAL_MS, () => this[Symbol.dispose]());
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
    const { input, telemetry } = this.#options;
    for (const [reason, { events, bytes }] of this.#dropped) telemetry.dropped(input, events, bytes, reason);
    this.#dropped.clear();
  }
}
