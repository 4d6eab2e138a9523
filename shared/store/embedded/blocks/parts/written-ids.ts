// The names of documents from where they stand in the body of a bulk request, without a text for each:
//
//   {"create":{"_index":"logs-sluice-default","_id":"<27 letters of base64url>"}}\n{"@timestamp": …
//                                                  idStart                          start of the document
//
// The same as document-ids.ts has of the texts. Pure.

export const ID_LETTERS = 27;
const BEFORE = Buffer.from('"_id":"');
const BEHIND = Buffer.from('"}}\n');
/** Letters before the first one that has bits of the index. */
const KEY_LETTERS = 21;
const KEY_BYTES = 16;
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const BITS = new Int8Array(0x100).fill(-1);
for (const [value, letter] of Array.from(LETTERS).entries()) BITS[letter.charCodeAt(0)] = value;
const BYTE = 0xff;

/** Where the name of the document begins that begins at `start`. */
export const idStart = (start: number): number => start - BEHIND.length - ID_LETTERS;

/** Whether the name of the document at `start` stands before it in this form. */
export function isIdBefore(body: Uint8Array, start: number): boolean {
  const at = idStart(start);
  if (at < BEFORE.length) return false;
  for (let i = 0; i < BEFORE.length; i++) if (body[at - BEFORE.length + i] !== BEFORE[i]) return false;
  for (let i = 0; i < BEHIND.length; i++) if (body[at + ID_LETTERS + i] !== BEHIND[i]) return false;
  return true;
}

/** The first bytes of the name at `at`; null where it is no 20 bytes in base64url, or is another text for them. */
export function keyAt(body: Uint8Array, at: number): Buffer | null {
  if (indexAt(body, at) < 0) return null;
  const key = Buffer.allocUnsafe(KEY_BYTES);
  let [bits, count, to, wrong] = [0, 0, 0, 0];
  for (let i = 0; to < KEY_BYTES; i++) {
    const six = BITS[body[at + i] ?? 0] ?? -1;
    wrong |= six;
    bits = ((bits << 6) | (six & 0x3f)) & 0x3fff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    key[to++] = (bits >> count) & BYTE;
  }
  return wrong < 0 ? null : key;
}

/** Its last four bytes; -1 where they are not in base64url, or in another text for it. */
export function indexAt(body: Uint8Array, at: number): number {
  const first = BITS[body[at + KEY_LETTERS] ?? 0] ?? -1;
  const last = BITS[body[at + ID_LETTERS - 1] ?? 0] ?? -1;
  // Two bits behind it are not used.
  if (first < 0 || last < 0 || (last & 3) !== 0) return -1;
  let index = first & 0x0f;
  for (let i = KEY_LETTERS + 1; i < ID_LETTERS - 1; i++) {
    const bits = BITS[body[at + i] ?? 0] ?? -1;
    if (bits < 0) return -1;
    index = index * 64 + bits;
  }
  return index * 16 + (last >> 2);
}

/** Whether both begin with the same bytes, where one of them is known to be right. */
export function isSameKey(body: Uint8Array, a: number, b: number): boolean {
  for (let i = KEY_LETTERS - 1; i >= 0; i--) if (body[a + i] !== body[b + i]) return false;
  // The next letter has two bits of them.
  const bits = BITS[body[b + KEY_LETTERS] ?? 0] ?? -1;
  return bits >= 0 && bits >> 4 === (BITS[body[a + KEY_LETTERS] ?? 0] ?? -1) >> 4;
}
