// msgpack values that contain no others and are no text → JSON: nil, booleans, floats and the integers of more than one
// byte. Each is whole.

import { type JsonBuffer, fragment } from './json-buffer.ts';

const NULL = fragment('null');
const TRUE = fragment('true');
const FALSE = fragment('false');
const NONE = -1;

/** Writes the value at `at`, whose first byte is `type`. Returns where it ends, or -1 for what is of another kind. */
export function writeScalar(json: JsonBuffer, view: DataView, at: number, type: number): number {
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
      json.ascii(view.getBigUint64(at + 1).toString());
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
      json.ascii(view.getBigInt64(at + 1).toString());
      return at + 9;
    default:
      return NONE;
  }
}

/** JSON has no NaN and no infinity: these are text. */
function writeFloat(json: JsonBuffer, value: number): void {
  if (Number.isFinite(value)) json.ascii(String(value));
  else json.ascii(`"${value}"`);
}
