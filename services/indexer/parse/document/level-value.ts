// The level of a document: `log.level`, one of nine words, and `event.severity`, a number to compare by. What the
// source wrote stays among the attributes where it is another word or a number.

import * as keys from './document-keys.ts';
import type { DocumentParts } from './document-parts.ts';
import { type FieldTable, isText, textEnd, textStart } from '../fields.ts';
import { type LevelScale, isLevelWord, levelOfValue, levelSeverities, levelWords } from '../line/level-words.ts';
import * as names from '../names.ts';
import { fragment } from '../../json/json-buffer.ts';

const COMMA = 0x2c;
const levelMembers = levelWords.map((word) => fragment(`"level":"${word}",`));
const severityMembers = levelSeverities.map((number) => fragment(`"severity":${number},`));

export class LevelValue {
  readonly #parts: DocumentParts;
  #level = 0;
  #isOfLine = false;
  #isRewritten = false;

  constructor(parts: DocumentParts) {
    this.#parts = parts;
  }

  /** Of `levelWords`. */
  get number(): number {
    return this.#level;
  }

  /** Whether it was told by the line's format. */
  get isOfLine(): boolean {
    return this.#isOfLine;
  }

  /** Whether that was in another word, which is kept. */
  get isRewritten(): boolean {
    return this.#isRewritten;
  }

  gather(hasLine: boolean): void {
    const { record, line } = this.#parts;
    this.#isRewritten = false;
    this.#level = hasLine ? line.level : 0;
    this.#isOfLine = this.#level !== 0;
    if (this.#isOfLine) {
      this.#isRewritten = !isLevelWord(record.bytes, line.levelStart, line.levelEnd, this.#level);
      return;
    }
    if (hasLine && line.hasMap) this.#level = levelIn(line.table, line.bytes);
    if (this.#level === 0) this.#level = levelIn(record.root, record.bytes);
  }

  write(): void {
    if (this.#level !== 0) this.#parts.values.json.raw(levelMembers[this.#level]!);
  }

  writeSeverity(): void {
    if (this.#level !== 0) this.#parts.values.json.raw(severityMembers[this.#level]!);
  }

  /** What a line without names wrote, unless the line or the record has a `level` of its own. */
  writeAttribute(): void {
    const { values, record, line } = this.#parts;
    if (!this.#isRewritten || record.root.values[names.LEVEL_NAME] !== 0) return;
    if (line.hasMap && line.table.values[names.LEVEL_NAME] !== 0) return;
    values.json.raw(keys.LEVEL);
    values.json.text(record.bytes, record.view, line.levelStart, line.levelEnd);
    values.json.byte(COMMA);
  }
}

/** The level by the first name that has one. The value is taken if it is the level's own word. */
function levelIn(table: FieldTable, bytes: Uint8Array): number {
  for (const name of names.levelNames) {
    const at = table.values[name]!;
    if (at === 0) continue;
    const level = levelOfValue(bytes, at, scaleOf(name));
    if (level === 0) continue;
    if (isText(bytes[at]!) && isLevelWord(bytes, textStart(bytes, at), textEnd(bytes, at), level)) table.take(name);
    return level;
  }
  return 0;
}

function scaleOf(name: number): LevelScale {
  if (name === names.PRIORITY_NAME) return 'syslog';
  if (name === names.SEVERITY_NUMBER_NAME) return 'otel';
  return name === names.PLAIN_PRIORITY_NAME ? 'words' : 'plain';
}
