// How glibc's allocator is to give memory back, where we start Node on Linux: it reads this at the start of a process
// and has no other way in. By default what it has seen freed once, up to 32 MiB, it takes from its own heap from then
// on, and keeps 64 MiB of that: after some bodies of 48 MiB a forwarder stayed at 200 MiB instead of 133. Bodies of
// some hundred KiB in its heap kept 130 MiB of it resident under siege, of which 90 were free. No difference was found
// in events per CPU-second.
//
//   the image, the systemd unit     say it
//   launch.js, workers              pass it on

/** Variable → bytes: what is mapped for itself, and what is kept free at the end of the heap. */
export const MALLOC_ENVIRONMENT: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '8388608',
};
