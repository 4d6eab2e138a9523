// What the forwarder holds in memory and in files before the queue has it, and how it makes records of it. See
// settings.ts.

import { bytes, GIB, integer, KIB, MIB, milliseconds, type Setting } from './setting-kinds.ts';

export const buffers = {
  'frame.max_bytes': bytes(
    { minimum: 64 * KIB, maximum: 512 * MIB },
    'Largest HTTP body, also after decompression, and largest Forward frame that is held in memory; larger ones go ' +
      'to a file.',
    {
      default: 64 * MIB,
    },
  ),
  'frame.file_max_bytes': bytes(
    { minimum: 0, maximum: 64 * GIB },
    'Disk for Forward frames of more than 4 MiB while they come, in `incoming` of the data folder, for each process; ' +
      'one network may have as much as it leaves free, so a frame a half at most. 0: those above `frame.max_bytes` ' +
      'are refused.',
    { default: GIB },
  ),
  // gzip shrinks at most 1032 times, and real chunks of health checks come near it: none of these may be refused.
  'frame.max_ratio': integer(
    { minimum: 10, maximum: 100_000 },
    'What a compressed Forward chunk may grow by where it grows beyond `frame.max_bytes` (8 MiB at least); one that ' +
      'would grow more goes to the dead letters.',
    { default: 2000 },
  ),
  // Zeros cost zstd a thousandth of their bytes. Fluentd's file buffer cuts its chunks by what they are compressed, at
  // 256 MB.
  'frame.unpacked_max_bytes': bytes(
    { minimum: 64 * MIB, maximum: 1024 * GIB },
    'What a compressed Forward chunk may grow to where it grows beyond `frame.max_bytes`; one that would be larger ' +
      'goes to the dead letters.',
    { default: 4 * GIB },
  ),
  'intake.max_bytes': bytes(
    { minimum: MIB, maximum: 16 * GIB },
    'Bytes that the forwarder holds before it stops reading from its senders; a chunk counts 3.5 KiB beside its own.',
    {
      default: 48 * MIB,
    },
  ),
  // While an append is in flight the next record fills anyway. Waiting longer would slow down senders that wait for
  // each ack: Docker's driver gives up what it has 10 s after a container's end, so at 4 ms an ack it loses lines.
  'gather.linger_ms': milliseconds(
    { minimum: 0, maximum: 1000 },
    'How long small batches wait for others to share a record when no append of their partition is in flight.',
    { default: 0 },
  ),
  'gather.record_bytes': bytes(
    { minimum: 16 * KIB, maximum: 16 * MIB },
    'Uncompressed size at which a record is closed.',
    {
      default: 512 * KIB,
    },
  ),
} as const satisfies Record<string, Setting>;
