// A kubelet's folder of logs, as containerd and the kubelet write it: lines of CRI in parts of both streams, rotation
// by a new name and by gzip, restarts, and pods that go. Every text is another one, and is remembered.

import * as fs from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

export const TIME = '2026-11-20T10:10:10.123456789Z';

export class PodTree {
  readonly path: string;
  /** How often each text was written. */
  readonly texts = new Map<string, number>();
  #count = 0;
  #rotations = 0;
  readonly #restarts = new Map<string, number>();

  constructor(path: string) {
    this.path = path;
    fs.mkdirSync(path, { recursive: true });
  }

  get rotations(): number {
    return this.#rotations;
  }

  /** `pod`: such as `shop_web_<uid>`. */
  folder(pod: string, container = 'app'): string {
    const folder = join(this.path, pod, container);
    fs.mkdirSync(folder, { recursive: true });
    return folder;
  }

  file(pod: string, container = 'app'): string {
    return join(this.folder(pod, container), `${this.#restarts.get(pod + container) ?? 0}.log`);
  }

  /** A line of so many parts, each with a text of its own, between which stderr may say something. */
  line(pod: string, { parts = 1, between = false, container = 'app', size = 0 } = {}): void {
    for (let part = 1; part <= parts; part += 1) {
      this.#append(pod, container, { stream: 'stdout', tag: part === parts ? 'F' : 'P', size });
      if (between) this.#append(pod, container, { stream: 'stderr', tag: 'F', size });
    }
  }

  /** A line whose end never comes. */
  openLine(pod: string, container = 'app'): void {
    this.#append(pod, container, { stream: 'stdout', tag: 'P', size: 0 });
  }

  /** As the kubelet does: the file has another name and the runtime opens a new one; older ones are compressed. */
  rotate(pod: string, container = 'app'): void {
    const file = this.file(pod, container);
    if (!fs.existsSync(file)) return;
    this.compress(pod, container);
    this.#rotations += 1;
    fs.renameSync(file, `${file}.20261120-${String(100_000 + this.#rotations)}`);
    fs.writeFileSync(file, '');
  }

  compress(pod: string, container = 'app'): void {
    const folder = this.folder(pod, container);
    for (const name of fs.readdirSync(folder).filter((one) => /\d$/.test(one))) {
      const path = join(folder, name);
      fs.writeFileSync(`${path}.tmp`, gzipSync(fs.readFileSync(path)));
      fs.renameSync(`${path}.tmp`, `${path}.gz`);
      fs.unlinkSync(path);
    }
  }

  /** The container's next run has a file of its own. */
  restart(pod: string, container = 'app'): void {
    this.#restarts.set(pod + container, (this.#restarts.get(pod + container) ?? 0) + 1);
  }

  remove(pod: string): void {
    fs.rmSync(join(this.path, pod), { recursive: true, force: true });
  }

  #append(pod: string, container: string, { stream, tag, size }: { stream: string; tag: string; size: number }): void {
    const text = `${pod} ${container} ${(this.#count += 1)} ${'x'.repeat(size)}`;
    fs.appendFileSync(this.file(pod, container), `${TIME} ${stream} ${tag} ${text}\n`);
    this.texts.set(text, 1);
  }
}

export function uid(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}
