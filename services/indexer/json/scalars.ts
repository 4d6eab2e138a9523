// msgpack values that contain no others and are no text → JSON: nil, booleans, floats and integers. Each is whole.

import { type JsonBuffer, fragment } from './json-buffer.ts';

const NULL = fragment('null');
const TRUE = fragment('true');
const FALSE = fragment('false');
const NONE = -1;
const MINUS = 0x2d;
const POINT = 0x2e;
/** Of numbers that are written digit by digit: with six places behind the point, they have 15 digits. */
const DECIMAL_MIN = 1e-4;
const DECIMAL_END = 1e9;
const PLACES_MAX = 6;
/** Integers of 64 bits whose upper half is smaller are exact as doubles. */
export const SAFE_HIGH = 2 ** 21;

/** Writes the value at `at`, whose first byte is `type`. Returns where it ends, or -1 for what is of another kind. */
export function writeScalar(json: JsonBuffer, view: DataView, at: number, type: number): number {
  if (type < 0x80 || type >= 0xe0) {
    json.integer((type << 24) >> 24);
    return at + 1;
  }
  switch (type) {
    case 0xc0:
      json.raw(NULL);
      return at + 1;
    case 0xc2:
      json.raw(FALSE);
      return at + 1;
    case 0xc3:
      json.raw(TRUE);
      return at + 1;
    case 0xca:
      writeFloat(json, view.getFloat32(at + 1));
      return at + 5;
    case 0xcb:
      writeFloat(json, view.getFloat64(at + 1));
      return at + 9;
    case 0xcc:
      json.integer(view.getUint8(at + 1));
      return at + 2;
    case 0xcd:
      json.integer(view.getUint16(at + 1));
      return at + 3;
    case 0xce:
      json.integer(view.getUint32(at + 1));
      return at + 5;
    case 0xcf:
      writeLong(json, view, at + 1, view.getUint32(at + 1));
      return at + 9;
    case 0xd0:
      json.integer(view.getInt8(at + 1));
      return at + 2;
    case 0xd1:
      json.integer(view.getInt16(at + 1));
      return at + 3;
    case 0xd2:
      json.integer(view.getInt32(at + 1));
      return at + 5;
    case 0xd3:
      writeLong(json, view, at + 1, view.getInt32(at + 1));
      return at + 9;
    default:
      return NONE;
  }
}

/** An integer of 64 bits, whose upper half is `high`: as a number where a double holds it. */
function writeLong(json: JsonBuffer, view: DataView, at: number, high: number): void {
  if (high >= -SAFE_HIGH && high < SAFE_HIGH) json.integer(high * 0x1_0000_0000 + view.getUint32(at + 4));
  else json.ascii((high < 0 ? view.getBigInt64(at) : view.getBigUint64(at)).toString());
}

/** JSON has no NaN and no infinity: these are text. */
function writeFloat(json: JsonBuffer, value: number): void {
  if (!Number.isFinite(value)) json.ascii(`"${value}"`);
  else if (!writeDecimal(json, value)) json.ascii(String(value));
}

/**
 * Writes a number of few digits as `String` does, without a string; false for any other. Of the decimals that are this
 * double, the shortest one is written: there is one of at most 15 digits, for the division rounds as reading one does.
 */
function writeDecimal(json: JsonBuffer, value: number): boolean {
  const size = Math.abs(value);
  if (!(size >= DECIMAL_MIN && size < DECIMAL_END)) return false;
  for (let places = 0, power = 1; places <= PLACES_MAX; places += 1, power *= 10) {
    const scaled = Math.round(size * power);
    if (scaled / power !== size) continue;
    if (value < 0) json.byte(MINUS);
    const whole = Math.floor(scaled / power);
    json.integer(whole);
    if (places === 0) return true;
    json.reserve(PLACES_MAX + 1);
    json.byte(POINT);
    json.digits(scaled - whole * power, places);
    return true;
  }
  return false;
}
