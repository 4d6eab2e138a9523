// Does a fault to the world, and undoes it: resolves when what was killed, frozen, filled or stalled is at work again
// (or has been told to be). Never waits for the system to have recovered.

import { setTimeout as delay } from 'node:timers/promises';
import type { Load } from '../load.ts';
import type { Member } from '../member.ts';
import type { Fault } from '../schedule.ts';
import { crewAt, type World } from '../world.ts';

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
      return [`forwarder-${crewAt}`];
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

export interface Targets {
  readonly world: World;
  readonly load: Load;
}

export async function strike({ world, load }: Targets, fault: Fault, signal: AbortSignal): Promise<void> {
  const { kind, which, lastsMs } = fault;
  const lasting = (): Promise<unknown> => delay(lastsMs, undefined, { signal }).catch(() => undefined);
  const frozen = async (targets: readonly Freezable[]): Promise<void> => {
    for (const target of targets) target.freeze();
    await lasting();
    for (const target of targets) target.thaw();
  };
  const disks = kind === 'forwarder disk full' ? [at(world.disks, which)] : world.disks;
  switch (kind) {
    case 'forwarder killed':
    case 'indexer killed': {
      const member = memberOf(world, fault);
      await member.kill();
      await lasting();
      return signal.aborted ? undefined : member.start();
    }
    case 'forwarder restarted':
    case 'indexer restarted': {
      const member = memberOf(world, fault);
      await member.stop();
      return signal.aborted ? undefined : member.start();
    }
    case 'forwarder frozen':
    case 'indexer frozen':
      return frozen([memberOf(world, fault)]);
    case 'broker killed':
    case 'elasticsearch killed': {
      const server = kind === 'broker killed' ? at(world.brokers, which) : world.elasticsearch;
      await server.kill();
      await lasting();
      return signal.aborted ? undefined : server.start();
    }
    case 'broker frozen':
      return frozen([at(world.brokers, which)]);
    case 'elasticsearch frozen':
      return frozen([world.elasticsearch]);
    case 'kafka away':
      return frozen(world.brokers);
    case 'forwarder disk full':
    case 'kafka away, disk full':
      for (const disk of disks) disk.fill();
      await (kind === 'forwarder disk full' ? lasting() : frozen(world.brokers));
      for (const disk of disks) disk.free();
      return;
    case 'answers of elasticsearch cut':
      return world.answerProxy.breakOff();
    case 'senders cut':
      for (const proxy of world.senderProxies) proxy.cut();
      return;
    case 'senders stalled':
      for (const proxy of world.senderProxies) proxy.stall();
      await lasting();
      for (const proxy of world.senderProxies) proxy.resume();
      return;
    case 'workers replaced':
      return at(world.forwarders, crewAt).reload(signal);
    case 'clock a year ahead':
    case 'clock a year back': {
      const { clock } = at(world.members, which);
      clock.jump(kind === 'clock a year ahead' ? yearMs : -yearMs);
      await lasting();
      return clock.jump(0);
    }
    case 'ingest pipeline missing':
      await world.dataStream.setPipeline('chaos-missing', signal);
      await lasting();
      return world.dataStream.setPipeline(null, signal);
    case 'data stream rolled over':
      return world.dataStream.rollOver(signal);
    case 'topic made anew':
    case 'retention overtaking':
      return world.doomed.strike(kind, signal);
    case 'big chunk':
      return load.sendOne('big');
    case 'torn chunk':
      return load.sendOne('torn');
  }
}

function memberOf(world: World, { kind, which }: Fault): Member {
  return at(kind.startsWith('forwarder') ? world.forwarders : world.indexers, which);
}

function at<T>(list: readonly T[], which: number): T {
  const found = list[which];
  if (found === undefined) throw new Error(`Cannot strike number ${which}: there are ${list.length}`);
  return found;
}
