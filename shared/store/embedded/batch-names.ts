// The names that documents come under, found again by the bytes that say them: nearly always they are those of a
// document before. Pure but for what it remembers, which is bounded.

export interface BatchNames {
  readonly containerId: string;
  readonly containerName: string;
  readonly service: string;
  readonly pod: string;
  readonly tag: string;
  readonly tenant: string;
}

/** In the order of the places. */
export const NAME_PATHS = [
  'container.id',
  'container.name',
  'service.name',
  'kubernetes.pod.name',
  'fluentd.tag',
  'tenant.id',
] as const;

interface Entry {
  readonly bytes: Uint8Array;
  readonly names: BatchNames;
}

const KEPT_MAX = 4096;
const NAME_BYTES_MAX = 1024;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export class NamesByBytes {
  readonly #entries = new Map<number, Entry>();
  #last: Entry | null = null;

  /**
   * `starts` and `ends`: of the token of each name in the body; -1 where there is none. Null where one of them is no
   * plain string, or a long one.
   */
  find(body: Uint8Array, starts: Int32Array, ends: Int32Array): BatchNames | null {
    // Nearly always as the document before.
    if (this.#last !== null && isOf(this.#last.bytes, body, starts, ends)) return this.#last.names;
    let hash = 0x811c9dc5;
    let length = 0;
    for (let name = 0; name < NAME_PATHS.length; name++) {
      const start = starts[name] ?? -1;
      // Which names there are belongs to it.
      hash = Math.imul(hash ^ (name + 1), 0x01000193);
      if (start < 0) continue;
      const end = ends[name] ?? 0;
      if (body[start] !== QUOTE || end - start > NAME_BYTES_MAX) return null;
      length += end - start + 1;
      for (let at = start; at < end; at++) {
        const sign = body[at] ?? 0;
        if (sign === BACKSLASH) return null;
        hash = Math.imul(hash ^ sign, 0x01000193);
      }
    }
    const known = this.#entries.get(hash);
    if (known !== undefined && isOf(known.bytes, body, starts, ends)) return (this.#last = known).names;
    const entry = { bytes: bytesOf(length, body, starts, ends), names: namesIn(body, starts, ends) };
    if (this.#entries.size >= KEPT_MAX) this.#entries.clear();
    this.#entries.set(hash, entry);
    this.#last = entry;
    return entry.names;
  }
}

/** Each token behind its number. */
function bytesOf(length: number, body: Uint8Array, starts: Int32Array, ends: Int32Array): Uint8Array {
  const bytes = new Uint8Array(length);
  let to = 0;
  for (let name = 0; name < NAME_PATHS.length; name++) {
    const start = starts[name] ?? -1;
    if (start < 0) continue;
    bytes[to++] = name;
    bytes.set(body.subarray(start, ends[name]), to);
    to += (ends[name] ?? 0) - start;
  }
  return bytes;
}

function isOf(bytes: Uint8Array, body: Uint8Array, starts: Int32Array, ends: Int32Array): boolean {
  let to = 0;
  for (let name = 0; name < NAME_PATHS.length; name++) {
    const start = starts[name] ?? -1;
    if (start < 0) continue;
    if (bytes[to++] !== name) return false;
    const end = ends[name] ?? 0;
    if (to + end - start > bytes.length) return false;
    for (let at = start; at < end; at++) if (bytes[to++] !== body[at]) return false;
  }
  return to === bytes.length;
}

function namesIn(body: Uint8Array, starts: Int32Array, ends: Int32Array): BatchNames {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const nameAt = (name: number): string => {
    const start = starts[name] ?? -1;
    return start < 0 ? '' : bytes.toString('utf8', start + 1, (ends[name] ?? 0) - 1);
  };
  const [containerId, containerName, service, pod, tag, tenant] = NAME_PATHS.map((_, name) => nameAt(name));
  return {
    containerId: containerId ?? '',
    containerName: containerName ?? '',
    service: service ?? '',
    pod: pod ?? '',
    tag: tag ?? '',
    tenant: tenant ?? '',
  };
}
