// What a message of others has beside its value, as headers of a fetched record: so that it is copied, counted and
// handed to other processes as those of our own records are.
//
//   key            the message's key; absent where it has none
//   null           it has no value, which is more than an empty one: a tombstone
//   unreadable     it stands for a batch of messages that could not be unpacked
//   h<n>:<name>    its headers, in their order; a name may come twice
//
// Guarantees: no name of a sender's is a name here (`__proto__` neither); pure.

const NOTHING = new Uint8Array(0);
const HEADER = /^h\d+:/;

export class ForeignHeaders {
  readonly encoded: Record<string, Uint8Array> = {};
  #count = 0;

  key(key: Uint8Array): void {
    this.encoded['key'] = key;
  }

  noValue(): void {
    this.encoded['null'] = NOTHING;
  }

  unreadable(): void {
    this.encoded['unreadable'] = NOTHING;
  }

  header(name: string, value: Uint8Array): void {
    this.encoded[`h${this.#count++}:${name}`] = value;
  }
}

/** Names and values of the message's own headers. */
export function* headersOf(encoded: Readonly<Record<string, Uint8Array>>): Generator<[string, Uint8Array], void, void> {
  for (const name in encoded) {
    const prefix = HEADER.exec(name)?.[0];
    if (prefix !== undefined) yield [name.slice(prefix.length), encoded[name] ?? NOTHING];
  }
}
