// The datagrams of the syslog input. Each is a message; the messages of one sender that come together are a chunk. If
// many come at once, some wait for a later turn of the event loop, in order and bounded by bytes. What finds no room is
// dropped and counted.

import type { Clock } from '#shared/clock.ts';
import { SyslogEntries } from '../../decode/syslog/syslog-entries.ts';
import type { TimeZone } from '../../decode/syslog/time-zone.ts';
import { DropTally, type DropTallyOptions } from '../unacked/drop-tally.ts';
import { hostOf } from './own-host.ts';
import { SenderTasks } from '../turns/sender-tasks.ts';
import { SYSLOG_TURN_BYTES, TurnBytes } from '../turns/turn-bytes.ts';
import { SenderRuns, type SenderRunsOptions } from '../unacked/sender-runs.ts';
import type { Admit } from '../../admit/admission.ts';
import type { Unacked } from '../unacked/unacked-retry.ts';

export interface SyslogDatagramsOptions extends DropTallyOptions, SenderRunsOptions {
  readonly admit: Admit;
  readonly unacked: Unacked;
  readonly clock: Clock;
  readonly zone: TimeZone;
}

/** Of datagrams that wait for a turn. */
const WAITING_LIMITS = { bytesMax: 8 * 1024 * 1024, senderBytesMax: 4 * 1024 * 1024 };

/** Its end: what was taken is on its way. */
export class SyslogDatagrams implements AsyncDisposable {
  readonly #options: SyslogDatagramsOptions;
  readonly #runs: SenderRuns;
  readonly #entries: SyslogEntries;
  readonly #drops: DropTally;
  readonly #tasks = new SenderTasks(WAITING_LIMITS);
  readonly #turn = new TurnBytes(SYSLOG_TURN_BYTES);

  constructor(options: SyslogDatagramsOptions) {
    this.#options = options;
    this.#runs = new SenderRuns(options);
    this.#entries = new SyslogEntries(options.zone);
    this.#drops = new DropTally(options);
  }

  take(bytes: Buffer, sender: string): void {
    const { admit, unacked } = this.#options;
    if (!unacked.hasRoom || !this.#tasks.hasRoom(sender)) {
      this.#drops.add('udp_no_room', bytes.length);
      return;
    }
    const refusal = this.#runs.refusalOf(sender, bytes.length, admit);
    if (refusal !== null) {
      if (refusal === 'not_allowed') this.#options.telemetry.datagramRefused('syslog', sender);
      this.#drops.add(refusal, bytes.length);
    } else if (this.#tasks.isIdle(sender) && this.#turn.take(bytes.length)) this.#append(bytes, sender);
    else {
      this.#tasks.add(sender, bytes.length, async () => {
        await this.#turn.wait(bytes.length);
        this.#append(bytes, sender);
      });
    }
  }

  #append(bytes: Buffer, sender: string): void {
    const run = this.#runs.runOf(sender, this.#options.admit);
    if (!run) return;
    const receivedSeconds = Math.floor(this.#options.clock.epochMs() / 1000);
    const message = { bytes, start: 0, end: bytes.length, receivedSeconds, host: hostOf(sender), part: null };
    this.#entries.append(run.writer, message);
    run.count += 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tasks.idle();
    this.#runs.flush();
    this.#drops[Symbol.dispose]();
  }
}
