// What `sluice erase` says: what would go, what went, and what it cannot reach. Pure.

import { harmless, oneLine } from '#shared/harmless.ts';
import type { StoredDocument } from '#shared/store/store.ts';
import { messageText, originName, timestampText } from '../output/document-text.ts';
import type { FoundDeadLetters } from './dead-letters.ts';

export interface EraseFindings {
  readonly documents: number;
  readonly examples: readonly StoredDocument[];
  readonly deadLetters: FoundDeadLetters | null;
  /** Of the store, a sentence each. */
  readonly unreachable: readonly string[];
  readonly queueKind: 'kafka' | 'embedded';
  /** Whether indexers read topics of others too. */
  readonly hasSources: boolean;
  /** Records that the indexers have not indexed yet, those of topics of others too; null where that is not known. */
  readonly lag: number | null;
  /** Why the lag of some topics of others is not known, and not in `lag`. */
  readonly lagFailures: readonly string[];
}

export interface EraseResult {
  readonly documents: number;
  readonly deadLetters: number;
  /** Documents that are still found. */
  readonly left: number;
  readonly refused: ReadonlyMap<string, number>;
  /** Why it ended before all was done; null otherwise. */
  readonly stopped: string | null;
}

const MESSAGE_MAX = 100;

export function findingsText({ documents, examples, deadLetters }: EraseFindings): string {
  const letters = deadLetters?.letters ?? 0;
  if (documents === 0 && letters === 0) return 'Nothing is found that would be erased\n';
  const shown = examples.map((document) => {
    const text = `${timestampText(document)} ${originName(document)} | ${messageText(document)}`;
    return `  ${readable(text).slice(0, MESSAGE_MAX)}\n`;
  });
  const where = deadLetters?.kind === 'kafka' && letters > 0 ? ' (in Kafka, where they stay)' : '';
  return `${documents} documents and ${letters} dead letters${where}\n${shown.join('')}`;
}

/** What an erasure does not reach, a sentence each. */
export function unreachedLines(findings: EraseFindings): string[] {
  const { deadLetters, unreachable, queueKind, hasSources, lag, lagFailures } = findings;
  const unknown = deadLetters?.unknown ?? [];
  const { letters = 0, kind } = deadLetters ?? {};
  return [
    ...unreachable,
    ...(deadLetters === null
      ? ['No queue was found, so no dead letters were looked through; is SLUICE_DATA_DIR the one of `sluice run`?']
      : []),
    ...(lag !== null && lag > 0
      ? [`${lag} records of the queue are not indexed yet: what is of it among them comes later; run it again then`]
      : []),
    ...lagFailures.map((why) => `What is not indexed yet is not all known: ${why}`),
    queueKind === 'kafka'
      ? "The queue keeps its records until the topic's retention; a `sluice reindex` of their time brings them back"
      : 'The queue keeps what was indexed for SLUICE_QUEUE_RETENTION_MS; a `sluice reindex` of its time brings it back',
    ...(hasSources
      ? [
          'Topics of others (kafka.sources) are not reached: `sluice reindex` does not read them, and they bring ' +
            'events back only if the offsets of their groups are set back',
        ]
      : []),
    ...(kind === 'kafka' && letters > 0
      ? [`${letters} dead letters in Kafka cannot be deleted one by one: they go with the retention of their topic`]
      : []),
    ...(unknown.length > 0
      ? [
          `${unknown.length} dead letters or more may hold something of it, and are kept, for they hold events of ` +
            `others or cannot be looked into: ${unknown.join(' ')}`,
        ]
      : []),
    'Snapshots of the store, spools of forwarders and copies elsewhere are not reached',
  ];
}

export function progressText(erased: number, documents: number): string {
  return `${erased} of ${documents} documents erased`;
}

export function resultText({ documents, deadLetters, left, refused, stopped }: EraseResult): string {
  const lines = [
    `${documents} documents and ${deadLetters} dead letters erased`,
    ...Array.from(refused, ([why, count]) => `  ${count} not erased: ${readable(why)}`),
    ...(left > 0 ? [`${left} documents are found still: they came meanwhile or were refused; run it again`] : []),
    ...(stopped === null ? [] : [readable(stopped)]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Whether nothing is left of what was to be erased, as far as is known. `result`: null where nothing was found. */
export function isDone({ deadLetters, unreachable }: EraseFindings, result: EraseResult | null): boolean {
  const isKept = deadLetters?.kind === 'kafka' && deadLetters.letters > 0;
  const isAllErased = result === null || (result.stopped === null && result.left === 0 && result.refused.size === 0);
  const isAllKnown = unreachable.length === 0 && (deadLetters?.unknown ?? []).length === 0;
  return isAllErased && !isKept && isAllKnown;
}

/** `isReal`: it was to be erased, and not only told. */
export function eraseJson(findings: EraseFindings, result: EraseResult | null, isReal: boolean): string {
  const { documents, deadLetters, examples } = findings;
  return `${JSON.stringify({
    found: { documents, dead_letters: deadLetters?.letters ?? 0 },
    examples: examples.map(({ id, index }) => ({ id, index })),
    erased: result === null ? null : { documents: result.documents, dead_letters: result.deadLetters },
    left: result?.left ?? null,
    unreached: unreachedLines(findings),
    done: isReal && isDone(findings, result),
  })}\n`;
}

function readable(text: string): string {
  return harmless(oneLine(text));
}
