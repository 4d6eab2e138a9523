// The shapes of a block, and the columns that they share, in the order in which they are first met. Pure.

import { textOfShape } from './shape-cache.ts';
import { type Shape, WHOLE } from './shapes.ts';

export interface ListedShape {
  readonly pieces: readonly string[];
  /** Of each of its values. */
  readonly columns: readonly number[];
}

const SHAPES_MAX = 128;
const COLUMNS_MAX = 400;

export class ShapeBook {
  readonly shapes: ListedShape[] = [];
  /** Of each column. */
  readonly paths: (string | null)[] = [];
  readonly #numbers = new Map<Shape, number>();
  readonly #byText = new Map<string, number>();
  readonly #byPath = new Map<string | null, number>();
  #whole: number | null = null;

  /** Its number; that of WHOLE where there may be no more. */
  numberOf(shape: Shape): number {
    return this.#numbers.get(shape) ?? this.#look(shape) ?? this.#add(WHOLE);
  }

  /** Whether the number is that of whole documents. */
  isWhole(number: number): boolean {
    return number === this.#whole;
  }

  /** Place of the column among the values of each shape; -1: it has none. */
  placesOf(column: number): Int32Array {
    return Int32Array.from(this.shapes, ({ columns }) => columns.indexOf(column));
  }

  /** Undefined where there may be no more. */
  #look(shape: Shape): number | undefined {
    const known = this.#byText.get(textOfShape(shape));
    if (known !== undefined) {
      this.#numbers.set(shape, known);
      return known;
    }
    const unknown = shape.paths.filter((path) => !this.#byPath.has(path)).length;
    const isFull = this.shapes.length >= SHAPES_MAX || this.paths.length + unknown > COLUMNS_MAX;
    return isFull ? undefined : this.#add(shape);
  }

  /** The whole document is a shape that is always taken. */
  #add(shape: Shape): number {
    const number = this.#numbers.get(shape) ?? this.shapes.length;
    if (number < this.shapes.length) return number;
    this.shapes.push({ pieces: shape.pieces, columns: shape.paths.map((path) => this.#column(path)) });
    this.#numbers.set(shape, number);
    this.#byText.set(textOfShape(shape), number);
    if (shape.paths[0] === null) this.#whole = number;
    return number;
  }

  #column(path: string | null): number {
    const known = this.#byPath.get(path);
    if (known !== undefined) return known;
    this.#byPath.set(path, this.paths.length);
    return this.paths.push(path) - 1;
  }
}
