// What the logs themselves say, as metrics: how many events there are of each level, and how many sources are heard or
// have fallen silent. Counted where documents are made, so that one that is made again counts again.

import type { Clock } from '#shared/clock.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import type { Batch } from '#shared/record/record.ts';
import { levelWords } from '../parse/line/level-words.ts';
import type { NumberFields } from '../parse/number-fields.ts';
import { SourceTable } from './source-table.ts';

const MINUTE_MS = 60_000;

/** What whoever makes documents tells of them. */
export interface ContentListener {
  /** A document of this level, by its number, was made. */
  made(level: number): void;
  /** The documents of a request were made. */
  requested(): void;
  /** A batch was opened. */
  heard(partition: number, batch: Batch, epochMs: number): void;
}

export class ContentTelemetry implements ContentListener {
  /** Of the request that is being made: documents by the number of their level. */
  readonly #levels = new Float64Array(levelWords.length);
  readonly #byLevel;
  readonly #withoutField;
  readonly #sources = new SourceTable();
  readonly #log: Log;
  #numberFields: NumberFields | null = null;
  #leftOutTold = 0;

  constructor(metrics: Metrics, log: Log) {
    this.#log = log;
    metrics.gauge(
      'number_fields',
      'Names of fields `numbers.*` that this process has given to numbers among attributes.',
      [],
      () => [[this.#numberFields?.size ?? 0]],
    );
    this.#withoutField = metrics.counter(
      'numbers_without_field_total',
      'Numbers among attributes that became no field `numbers.*`, since other keys came first and took all of ' +
        'SLUICE_ELASTICSEARCH_NUMBER_FIELDS. They are found and compared as always.',
    );
    this.#byLevel = metrics.counter(
      'events_by_level_total',
      'Events of which a document was made, by the level of the document; none where nothing tells it. ' +
        'What is read again after a restart counts again.',
      ['level'],
    );
    for (const word of levelWords) this.#byLevel.add(0, labelOf(word));
  }

  made(level: number): void {
    this.#levels[level] = (this.#levels[level] ?? 0) + 1;
  }

  requested(): void {
    for (const [level, count] of this.#levels.entries())
      if (count > 0) this.#byLevel.add(count, labelOf(levelWords[level] ?? ''));
    this.#levels.fill(0);
    if (this.#numberFields !== null) this.#tellNumbers(this.#numberFields);
  }

  #tellNumbers({ leftOut, size }: NumberFields): void {
    if (leftOut === this.#leftOutTold) return;
    if (this.#leftOutTold === 0) this.#log.warn('number_fields_full', { fields: size });
    this.#withoutField.add(leftOut - this.#leftOutTold);
    this.#leftOutTold = leftOut;
  }

  heard(partition: number, batch: Batch, epochMs: number): void {
    this.#sources.heard(partition, batch, minuteOf(epochMs));
  }

  /** Numbers of attributes become fields from now on: tells how many do not, since other keys took all. */
  useNumberFields(fields: NumberFields): void {
    this.#numberFields = fields;
  }

  /** `partitions`: those that are read here. */
  watch(metrics: Metrics, clock: Clock, partitions: () => Iterable<{ readonly partition: number }>): void {
    metrics.gauge(
      'sources',
      'Sources (what has the same tenant, tag and sender) that were heard in ten different minutes or more: active, ' +
        'or silent for ten minutes. After an hour of silence they are forgotten. Of the partitions owned; ' +
        'at most 65,536.',
      ['state'],
      () => {
        const owned = new Set(Array.from(partitions(), ({ partition }) => partition));
        const { active, silent } = this.#sources.count(minuteOf(clock.epochMs()), (partition) => owned.has(partition));
        return [
          [active, 'active'],
          [silent, 'silent'],
        ];
      },
    );
  }
}

function labelOf(word: string): string {
  return word === '' ? 'none' : word;
}

function minuteOf(epochMs: number): number {
  return Math.floor(epochMs / MINUTE_MS);
}
