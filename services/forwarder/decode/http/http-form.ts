// application/x-www-form-urlencoded, on bytes, since values may be msgpack
// (https://url.spec.whatwg.org/#urlencoded-parsing).
//
//   json=%7B%22a%22%3A1%7D&time=1518756037.25      name=value, joined by &; + is a space; % and two hex digits a byte
//
// A percent sign without two hex digits stands for itself, as browsers have it.

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;

export type FormField = readonly [name: string, value: Buffer];

/** The first `fieldsMax` fields; values still to be kept are views of the body where nothing was encoded in them. */
export function formFields(body: Uint8Array, fieldsMax = 16): FormField[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const fields: FormField[] = [];
  let start = 0;
  while (start < bytes.length && fields.length < fieldsMax) {
    const ampersand = bytes.indexOf(AMPERSAND, start);
    const end = ampersand < 0 ? bytes.length : ampersand;
    const pair = bytes.subarray(start, end);
    const equals = pair.indexOf(EQUALS);
    const name = equals < 0 ? pair : pair.subarray(0, equals);
    const value = equals < 0 ? pair.subarray(pair.length) : pair.subarray(equals + 1);
    fields.push([
      percentDecoded(name, { plusIsSpace: true }).toString('latin1'),
      percentDecoded(value, { plusIsSpace: true }),
    ]);
    start = end + 1;
  }
  return fields;
}

export function percentDecoded(bytes: Buffer, { plusIsSpace }: { plusIsSpace: boolean }): Buffer {
  if (!bytes.includes(PERCENT) && !(plusIsSpace && bytes.includes(PLUS))) return bytes;
  const decoded = Buffer.allocUnsafeSlow(bytes.length);
  let length = 0;
  let at = 0;
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0;
    const value = byte === PERCENT ? hexByte(bytes, at + 1) : -1;
    if (value >= 0) {
      decoded[length++] = value;
      at += 3;
    } else {
      decoded[length++] = plusIsSpace && byte === PLUS ? SPACE : byte;
      at += 1;
    }
  }
  return decoded.subarray(0, length);
}

function hexByte(bytes: Buffer, at: number): number {
  const high = hexDigit(bytes[at]);
  const low = hexDigit(bytes[at + 1]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
