// Chooses the partition of a source's entries: always the same one, so that they stay in order.

/** FNV-1a over tenant, tag and sender, modulo `partitions`. */
export function partitionOf(tenant: string | null, tag: string, sender: string, partitions: number): number {
  let hash = mix(0x811c9dc5, tenant ?? '');
  hash = mix(hash, tag);
  hash = mix(hash, sender);
  return (hash >>> 0) % partitions;
}

function mix(hash: number, text: string): number {
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // The separator keeps ("ab", "c") and ("a", "bc") apart.
  return Math.imul(hash ^ 0xffff, 0x01000193);
}
