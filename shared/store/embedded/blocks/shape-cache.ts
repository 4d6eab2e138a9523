// Takes documents apart by the shapes of those before them: a text that has every piece of a known shape, and values of
// JSON between them, is JSON too, and need not be parsed. Pure but for what it remembers; linear in the text.

import { type Shape, shapeOf, valuesOfShape, WHOLE } from './shapes.ts';

export interface TakenApart {
  readonly shape: Shape;
  /** As many as the shape has paths. */
  readonly values: readonly string[];
}

/** Shapes that are tried before a text is taken apart anew. */
const TRIED = 4;
const KEPT_MAX = 256;
/** Of the pieces of a shape that is kept. */
const KEPT_LENGTH_MAX = 8192;
// What no string of JSON has as it is, and what begins an escape: whether that is right takes a parser to say.
// oxlint-disable-next-line no-control-regex
const NOT_PLAIN = /[\u0000-\u001f\\]/;

export class ShapeCache {
  readonly #byText = new Map<string, Shape>();
  /** Those that came last, the last one first. */
  #recent: readonly Shape[] = [];

  /** Null where the text is no object of JSON. `text` has no newline. */
  take(text: string): TakenApart | null {
    const isPlain = !NOT_PLAIN.test(text);
    if (!isPlain && !isObject(text)) return null;
    for (const shape of this.#recent) {
      const values = valuesOfShape(text, shape);
      if (values === null) continue;
      this.#use(shape);
      return { shape, values };
    }
    if (isPlain && !isObject(text)) return null;
    const shape = this.#keep(shapeOf(text));
    const values = valuesOfShape(text, shape);
    return values === null ? { shape: WHOLE, values: [text] } : { shape, values };
  }

  #keep(shape: Shape): Shape {
    if (shape === WHOLE) return shape;
    const text = textOfShape(shape);
    const known = this.#byText.get(text);
    if (known !== undefined) {
      this.#use(known);
      return known;
    }
    if (text.length > KEPT_LENGTH_MAX) return shape;
    // A part of a string keeps the whole of it in memory.
    const kept = { pieces: shape.pieces.map(copied), paths: shape.paths.map((path) => path && copied(path)) };
    if (this.#byText.size >= KEPT_MAX) this.#byText.clear();
    this.#byText.set(copied(text), kept);
    this.#use(kept);
    return kept;
  }

  #use(shape: Shape): void {
    if (this.#recent[0] !== shape)
      this.#recent = [shape, ...this.#recent.filter((other) => other !== shape)].slice(0, TRIED);
  }
}

/** No piece has a newline. */
export const textOfShape = ({ pieces }: Shape): string => pieces.join('\n');

const copied = (text: string): string => Buffer.from(text).toString();

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
