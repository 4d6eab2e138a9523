// Tells how many datagrams the kernel dropped at a socket of ours, as they grow: nobody else would know of them. Linux
// only.

import { readFile } from 'node:fs/promises';
import type { Clock } from '#shared/clock.ts';
import { udpDrops } from '../../decode/proc-net-udp.ts';

const SAMPLE_INTERVAL_MS = 2000;

export interface UdpDropsOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** Called with the datagrams that were dropped since the last sample. */
  readonly dropped: (datagrams: number) => void;
}

/** Its end: a last sample. */
export function watchUdpDrops({ host, port, clock, dropped }: UdpDropsOptions): AsyncDisposable {
  const file = host.includes(':') ? '/proc/net/udp6' : '/proc/net/udp';
  let known = 0;
  const sample = async (): Promise<void> => {
    const drops = udpDrops(await readFile(file, 'utf8').catch(() => ''), host, port);
    if (drops === null || drops <= known) return;
    dropped(drops - known);
    known = drops;
  };
  let timer = clock.timer(SAMPLE_INTERVAL_MS, next);
  function next(): void {
    void sample();
    timer = clock.timer(SAMPLE_INTERVAL_MS, next);
  }
  return {
    async [Symbol.asyncDispose]() {
      timer[Symbol.dispose]();
      await sample();
    },
  };
}
