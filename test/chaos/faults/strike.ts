// Does a fault to the world, and undoes it: resolves when what was killed, frozen, filled or stalled works again, or
// was started again. Never waits for the system to have recovered.

import { setTimeout as delay } from 'node:timers/promises';
import type { Load } from '../load.ts';
import type { Member } from '../member.ts';
import type { Fault } from '../schedule.ts';
import { workersAt, type World } from '../world.ts';
import type { SmallDisk } from './small-disk.ts';

const yearMs = 365 * 86_400_000;

/** What a fault takes away. No two faults take the same at the same time; of the brokers only one fault is at work. */
export function takenBy({ kind, which }: Fault): readonly string[] {
  switch (kind) {
    case 'forwarder killed':
    case 'forwarder frozen':
    case 'forwarder restarted':
      return [`forwarder-${which}`];
    case 'forwarder disk full':
      return [`disk-${which}`];
    case 'indexer killed':
    case 'indexer frozen':
    case 'indexer restarted':
      return [`indexer-${which}`];
    case 'broker killed':
    case 'broker frozen':
    case 'kafka away':
      return ['brokers'];
    case 'kafka away, disk full':
      return ['brokers', 'disk-0', 'disk-1'];
    case 'elasticsearch killed':
    case 'elasticsearch frozen':
      return ['elasticsearch'];
    case 'answers of elasticsearch cut':
      return ['answers'];
    case 'senders cut':
    case 'senders stalled':
      return ['senders'];
    case 'workers replaced':
      return [`forwarder-${workersAt}`];
    case 'clock a year ahead':
    case 'clock a year back':
      return [`clock-${which}`];
    case 'ingest pipeline missing':
      return ['data stream'];
    case 'data stream rolled over':
      return ['data stream', 'elasticsearch'];
    case 'topic made anew':
    case 'retention overtaking':
      return ['doomed topic', 'brokers', 'elasticsearch', 'data stream'];
    case 'big chunk':
    case 'torn chunk':
      return [];
  }
}

interface Freezable {
  freeze(): void;
  thaw(): void;
}

interface Restartable {
  start(): Promise<void> | void;
  kill(): Promise<unknown>;
}

export interface Targets {
  readonly world: World;
  readonly load: Load;
}

export async function strike(targets: Targets, fault: Fault, signal: AbortSignal): Promise<void> {
  await STRIKES[fault.kind](new ActiveFault(targets, fault, signal));
}

/** One fault at work, with what several kinds of faults do. */
class ActiveFault {
  readonly world: World;
  readonly load: Load;
  readonly fault: Fault;
  readonly signal: AbortSignal;

  constructor({ world, load }: Targets, fault: Fault, signal: AbortSignal) {
    this.world = world;
    this.load = load;
    this.fault = fault;
    this.signal = signal;
  }

  /** The forwarder or indexer that is meant. */
  get member(): Member {
    const { kind, which } = this.fault;
    return at(kind.startsWith('forwarder') ? this.world.forwarders : this.world.indexers, which);
  }

  /** Resolves when the fault has lasted for its time, or at the end of the run. */
  async last(): Promise<void> {
    await delay(this.fault.lastsMs, undefined, { signal: this.signal }).catch(() => undefined);
  }

  async kill(target: Restartable): Promise<void> {
    await target.kill();
    await this.last();
    if (!this.signal.aborted) await target.start();
  }

  async restart(): Promise<void> {
    await this.member.stop();
    if (!this.signal.aborted) this.member.start();
  }

  async freeze(targets: readonly Freezable[]): Promise<void> {
    for (const target of targets) target.freeze();
    await this.last();
    for (const target of targets) target.thaw();
  }

  async fillUp(disks: readonly SmallDisk[], meanwhile: () => Promise<void>): Promise<void> {
    for (const disk of disks) disk.fill();
    await meanwhile();
    for (const disk of disks) disk.free();
  }

  async jump(byMs: number): Promise<void> {
    const { clock } = at(this.world.members, this.fault.which);
    clock.jump(byMs);
    await this.last();
    clock.jump(0);
  }
}

const STRIKES: Readonly<Record<Fault['kind'], (now: ActiveFault) => unknown>> = {
  'forwarder killed': (now) => now.kill(now.member),
  'indexer killed': (now) => now.kill(now.member),
  'forwarder restarted': (now) => now.restart(),
  'indexer restarted': (now) => now.restart(),
  'forwarder frozen': (now) => now.freeze([now.member]),
  'indexer frozen': (now) => now.freeze([now.member]),
  'broker killed': (now) => now.kill(at(now.world.brokers, now.fault.which)),
  'elasticsearch killed': (now) => now.kill(now.world.elasticsearch),
  'broker frozen': (now) => now.freeze([at(now.world.brokers, now.fault.which)]),
  'elasticsearch frozen': (now) => now.freeze([now.world.elasticsearch]),
  'kafka away': (now) => now.freeze(now.world.brokers),
  'forwarder disk full': (now) => now.fillUp([at(now.world.disks, now.fault.which)], () => now.last()),
  'kafka away, disk full': (now) => now.fillUp(now.world.disks, () => now.freeze(now.world.brokers)),
  'answers of elasticsearch cut': (now) => now.world.answerProxy.breakOff(),
  'senders cut'({ world }) {
    for (const proxy of world.senderProxies) proxy.cut();
  },
  async 'senders stalled'(now) {
    for (const proxy of now.world.senderProxies) proxy.stall();
    await now.last();
    for (const proxy of now.world.senderProxies) proxy.resume();
  },
  'workers replaced': ({ world, signal }) => at(world.forwarders, workersAt).reload(signal),
  'clock a year ahead': (now) => now.jump(yearMs),
  'clock a year back': (now) => now.jump(-yearMs),
  async 'ingest pipeline missing'(now) {
    await now.world.dataStream.setPipeline('chaos-missing', now.signal);
    await now.last();
    await now.world.dataStream.setPipeline(null, now.signal);
  },
  'data stream rolled over': ({ world, signal }) => world.dataStream.rollOver(signal),
  'topic made anew': ({ world, signal }) => world.doomed.strike('topic made anew', signal),
  'retention overtaking': ({ world, signal }) => world.doomed.strike('retention overtaking', signal),
  'big chunk': ({ load }) => load.sendOne('big'),
  'torn chunk': ({ load }) => load.sendOne('torn'),
};

function at<T>(list: readonly T[], which: number): T {
  const found = list[which];
  if (found === undefined) throw new Error(`Cannot strike number ${which}: there are ${list.length}`);
  return found;
}
