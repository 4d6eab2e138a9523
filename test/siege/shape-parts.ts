// What shapes of costly inputs (shapes.ts) are made of. Pure.

type Via = 'http' | 'forward' | 'forward-stream' | 'syslog-tcp' | 'syslog-udp' | 'gelf-tcp' | 'gelf-udp';
export type Encoding = 'identity' | 'gzip' | 'zstd';

export interface Shape {
  readonly name: string;
  readonly via: Via;
  /** Of HTTP: where it is posted, and as what. */
  readonly path?: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly pieces: readonly Buffer[];
  /** What the run may nest in, as opening and closing bytes. */
  readonly nests: readonly (readonly [open: Buffer, close: Buffer])[];
  /** Around the run. */
  readonly wrap: (run: Buffer) => Buffer;
  /** It may not be compressed. */
  readonly isPlain?: boolean;
  /** The tag of Forward. */
  readonly tag?: string;
}

type Text = readonly string[];
export const bytesOf = (texts: Text): Buffer[] => texts.map((text) => Buffer.from(text));
export const around = (head: string, tail: string) => {
  const [before, after] = [Buffer.from(head), Buffer.from(tail)];
  return (run: Buffer): Buffer => {
    // A comma behind the last piece would make all of it malformed.
    const end = run.at(-1) === COMMA && tail.length > 0 ? run.length - 1 : run.length;
    return Buffer.concat([before, run.subarray(0, end), after]);
  };
};
const COMMA = 0x2c;
export const plain = (run: Buffer): Buffer => run;
export const nestsOf = (...pairs: readonly (readonly [string, string])[]): [Buffer, Buffer][] =>
  pairs.map(([open, close]) => [Buffer.from(open), Buffer.from(close)]);

export const JSON_TYPE = 'application/json';
export const xs = 'x'.repeat(40);

export const http = (
  name: string,
  path: string,
  contentType: string,
  more: Omit<Shape, 'name' | 'via' | 'path' | 'contentType'>,
): Shape => ({
  name,
  via: 'http',
  path,
  contentType,
  ...more,
});
