// For the reading gate while it is closed: whether those that wait for us keep it shut for others, and which of them go first.

import type { GatePass } from './reading-gate.ts';

/** They may keep it shut so long while they do not drain. */
const STUCK_AFTER_MS = 1000;

/** Whether those that wait have kept the gate shut for long without draining. */
export class StuckWatch {
  readonly #enough: number;
  #sinceMs = 0;
  #drained = 0;

  /** `enough`: bytes that are progress. */
  constructor(enough: number) {
    this.#enough = enough;
  }

  begin(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#drained = 0;
  }

  drained(bytes: number): void {
    this.#drained += bytes;
  }

  isStuck(keepShut: boolean, nowMs: number): boolean {
    if (!keepShut || this.#drained >= this.#enough) this.begin(nowMs);
    return nowMs - this.#sinceMs >= STUCK_AFTER_MS;
  }
}

export function bytesByNetwork(passes: Iterable<GatePass>): Map<string, number> {
  const held = new Map<string, number>();
  for (const { network, bytes } of passes) held.set(network, (held.get(network) ?? 0) + bytes);
  return held;
}

/** Always the largest, then the youngest, of the network that holds most of what is left. */
export function* largestFirst(passes: readonly GatePass[]): Generator<GatePass> {
  const byNetwork = Map.groupBy(passes, ({ network }) => network);
  const networks = [...byNetwork.values()].map((of) => ({
    bytes: of.reduce((sum, { bytes }) => sum + bytes, 0),
    largestLast: of.sort((a, b) => a.bytes - b.bytes || a.sinceMs - b.sinceMs),
  }));
  for (;;) {
    const most = networks.reduce((a, b) => (b.bytes > a.bytes ? b : a), { bytes: 0, largestLast: [] });
    const pass = most.largestLast.pop();
    if (!pass) return;
    most.bytes -= pass.bytes;
    yield pass;
  }
}
