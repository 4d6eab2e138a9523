// Pods that come, log, are rotated, restart and go, under a collector that is killed again and again: every line that
// was on the disk is held once. Short here; SLUICE_TEST_POD_STEPS makes it longer. All is drawn from a seed.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Collector } from '../files/collecting-process.ts';
import { PodTree, uid } from './pod-tree.ts';
import { randomOf } from '../torture/torture.ts';

const STEPS = Number(process.env['SLUICE_TEST_POD_STEPS'] ?? 120);

test('pods under a collector that is killed', { timeout: 240_000 + STEPS * 100 }, async (context) => {
  const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
  context.diagnostic(`seed ${seed} (SLUICE_TEST_SEED)`);
  const random = randomOf(seed);
  const folder = fs.mkdtempSync(join(tmpdir(), 'sluice-pods-'));
  const tree = new PodTree(join(folder, 'pods'));
  const collector = new Collector(folder, `pods:${tree.path}`);
  let pods = 0;
  const newPod = (): string => `ns-${random(3)}_pod-${pods}_${uid((pods += 1))}`;
  const live = Array.from({ length: 8 }, newPod);
  const missing = (): string[] => {
    const { texts } = collector.held();
    return [...tree.texts.keys()].filter((text) => !texts.has(text));
  };
  const held = async (): Promise<void> => {
    for (let tries = 0; missing().length > 0; tries += 1) {
      assert.ok(tries < 3000, `${missing().length} are missing, such as ${missing()[0]}; ${collector.told.join('')}`);
      await delay(10);
    }
  };
  const step = (): void => disturb(tree, live[random(live.length)] ?? '', random);
  try {
    await collector.start();
    for (let n = 1; n <= STEPS; n += 1) {
      step();
      if (n % 5 === 0) await delay(random(20));
      if (n % 40 === 20) {
        await collector.kill();
        for (let steps = random(8); steps > 0; steps -= 1) step();
        await collector.start();
      }
      if (n % 40 === 0) {
        // The kubelet removes a pod's files; who has them open may read them.
        await held();
        tree.line(live[0] ?? '');
        await held();
        tree.remove(live.shift() ?? '');
        live.push(newPod());
      }
    }
    await held();
    // Whatever comes twice has come when what was written last has.
    for (const pod of live) tree.line(pod);
    await held();
    const { texts, count } = collector.held();
    assert.deepEqual([...texts].filter(([, times]) => times > 1), []); // prettier-ignore
    assert.equal(count, tree.texts.size);
    context.diagnostic(`${count} lines, ${tree.rotations} rotations, ${collector.kills} kills`);
  } finally {
    await collector.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

/** Lines of a pod, most of the time; else what the kubelet does to its files. */
function disturb(tree: PodTree, pod: string, random: (below: number) => number): void {
  const kind = random(12);
  if (kind === 0) tree.rotate(pod);
  else if (kind === 1) tree.restart(pod);
  else if (kind === 2) tree.openLine(pod);
  else if (kind === 3) tree.line(pod, { container: 'init-db' });
  else {
    for (let lines = 1 + random(30); lines > 0; lines -= 1) {
      tree.line(pod, { parts: 1 + random(3), between: random(2) === 0, size: random(300) });
    }
  }
}
