// `sluice store verify`.

import { parseArgs } from 'node:util';
import { harmless, oneLine } from '#shared/harmless.ts';
import { openStoreFiles } from '#shared/open/open-store-files.ts';
import type { Damage } from '#shared/store/embedded/inspect/verification.ts';
import { messageLine } from '../output/message-line.ts';
import { Output } from '../output/output.ts';
import { Progress } from '../output/progress.ts';
import { countText, documentsProgress } from '../output/progress-text.ts';
import type { CommandContext } from '../process/command.ts';

const OPTIONS = { json: { type: 'boolean', default: false } } as const;
/** Of damaged blocks that are named; the rest is counted. */
const NAMED_MAX = 1000;

interface Found {
  blocks: number;
  documents: number;
  /** All of them. */
  damaged: number;
  readonly named: Damage[];
  damagedDocuments: number;
  damage: readonly string[];
  remarks: readonly string[];
}

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const output = new Output(context);
  const found = await look(context);
  if (found === null) {
    await output.write(messageLine('It was stopped: not all of the store was read'), output.stderr);
    return 1;
  }
  const isWhole = found.damaged === 0 && found.damage.length === 0;
  if (values.json) await output.write(verifiedJson(found));
  else await output.write(verifiedText(found));
  return isWhole ? 0 : 1;
}

/** Null where it was interrupted. */
async function look({ config, clock, signal, stderr }: CommandContext): Promise<Found | null> {
  const found: Found = {
    blocks: 0,
    documents: 0,
    damaged: 0,
    named: [],
    damagedDocuments: 0,
    damage: [],
    remarks: [],
  };
  // What is damaged is in the result.
  await using store = await openStoreFiles(config, { clock, readOnly: true, warn: () => undefined });
  const summary = await store.files.summary();
  const beganMs = clock.monotonicMs();
  using _shown = new Progress({ stderr, clock }, () =>
    documentsProgress(found.documents, {
      share: found.documents / Math.max(1, summary.documents),
      elapsedMs: clock.monotonicMs() - beganMs,
      isTerminal: stderr.isTTY === true,
    }),
  );
  for await (const { blocks, documents, damage } of store.files.verify(summary.lastRow)) {
    if (signal.aborted) return null;
    found.blocks += blocks;
    found.documents += documents;
    found.damaged += damage.length;
    for (const one of damage) {
      found.damagedDocuments += one.documents;
      if (found.named.length < NAMED_MAX) found.named.push(one);
    }
  }
  return Object.assign(found, await store.files.counts());
}

function verifiedText({ blocks, documents, damaged, named, damagedDocuments, damage, remarks }: Found): string {
  const lines = named.map(
    ({ block, what, documents: own, times }) =>
      `Block ${block}, ${countText(own)} documents of ${times[0]} to ${times[1]}: ${what}`,
  );
  if (damaged > named.length) lines.push(`(${countText(damaged - named.length)} more)`);
  lines.push(...damage, ...remarks.map((remark) => `Remark: ${remark}`));
  const whole = `${countText(blocks)} blocks, ${countText(documents)} documents`;
  const verdict =
    damaged > 0
      ? `${countText(damaged)} of ${whole} are damaged, with ${countText(damagedDocuments)} documents; ` +
        'all others are whole'
      : damage.length > 0
        ? `${whole} are whole, but not all of the file`
        : `${whole}: all whole`;
  return [...lines, verdict].map((line) => `${harmless(oneLine(line))}\n`).join('');
}

function verifiedJson({ blocks, documents, damaged, named, damagedDocuments, damage, remarks }: Found): string {
  return `${JSON.stringify({
    blocks,
    documents,
    damaged_blocks: damaged,
    damaged_documents: damagedDocuments,
    damage: named,
    file_damage: damage,
    remarks,
  })}\n`;
}
