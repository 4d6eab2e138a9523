// The two streams that a program writes to, by the bytes of their names. Pure.

const STDOUT = Buffer.from('stdout');
const STDERR = Buffer.from('stderr');

export type StreamName = 'stdout' | 'stderr';

/** The stream that bytes[start, end) names; null where they name none. */
export function streamNameOf(bytes: Uint8Array, start: number, end: number): StreamName | null {
  if (end - start !== STDOUT.length) return null;
  if (isAt(bytes, start, STDOUT)) return 'stdout';
  return isAt(bytes, start, STDERR) ? 'stderr' : null;
}

/** Whether these bytes are at `at`; what is beyond the end is none of them. */
export function isAt(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i += 1) if (bytes[at + i] !== text[i]) return false;
  return true;
}
