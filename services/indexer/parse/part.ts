export function partOf(_b: Uint8Array, _s: number, _e: number): null {
  return null;
}
