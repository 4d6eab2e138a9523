// Datagrams of the syslog input: each is a message; those of one sender that come together are a chunk.

import type { Clock } from '#shared/clock.ts';
import { SyslogEntries } from '../decode/syslog-entries.ts';
import type { TimeZone } from '../decode/time-zone.ts';
import { DropTally, type DropTallyOptions } from './drop-tally.ts';
import { hostOf } from './own-host.ts';
import { SenderRuns, type SenderRunsOptions } from './sender-runs.ts';
import type { Admit } from '../admit/admission.ts';
import type { Unacked } from './unacked.ts';

export interface SyslogDatagramsOptions extends DropTallyOptions, SenderRunsOptions {
  readonly admit: Admit;
  readonly unacked: Unacked;
  readonly clock: Clock;
  readonly zone: TimeZone;
}

/** Its end: what was taken is on its way. */
export class SyslogDatagrams implements Disposable {
  readonly #options: SyslogDatagramsOptions;
  readonly #runs: SenderRuns;
  readonly #entries: SyslogEntries;
  readonly #drops: DropTally;

  constructor(options: SyslogDatagramsOptions) {
    this.#options = options;
    this.#runs = new SenderRuns(options);
    this.#entries = new SyslogEntries(options.zone);
    this.#drops = new DropTally(options);
  }

  take(bytes: Buffer, sender: string): void {
    const { admit, unacked, clock } = this.#options;
    if (!unacked.hasRoom) {
      this.#drops.add('udp_no_room', bytes.length);
      return;
    }
    const refusal = this.#runs.refusalOf(sender, bytes.length, admit);
    const run = refusal === null ? this.#runs.runOf(sender, admit) : null;
    if (!run) {
      if (refusal !== 'address_rate') this.#options.telemetry.datagramRefused('syslog', sender);
      this.#drops.add(refusal ?? 'not_allowed', bytes.length);
      return;
    }
    const receivedSeconds = Math.floor(clock.epochMs() / 1000);
    const message = { bytes, start: 0, end: bytes.length, receivedSeconds, host: hostOf(sender), part: null };
    this.#entries.append(run.writer, message);
    run.count += 1;
  }

  [Symbol.dispose](): void {
    this.#runs.flush();
    this.#drops[Symbol.dispose]();
  }
}
