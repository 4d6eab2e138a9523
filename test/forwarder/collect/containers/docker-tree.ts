// Docker's folder of containers, as the daemon writes it: json-file logs that rotate by numbers and gzip, and what it
// says of each container beside them.

import * as fs from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const TIME = '2026-11-20T10:10:10.123456789Z';

export class DockerTree {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    fs.mkdirSync(path, { recursive: true });
  }

  id(name: string): string {
    return createHash('sha256').update(name).digest('hex');
  }

  file(name: string): string {
    const id = this.id(name);
    return join(this.path, id, `${id}-json.log`);
  }

  create(name: string, labels: Record<string, string> = {}): void {
    const folder = join(this.path, this.id(name));
    fs.mkdirSync(folder, { recursive: true });
    this.rename(name, name, labels);
    fs.writeFileSync(this.file(name), '', { flag: 'a' });
  }

  rename(name: string, newName: string, labels: Record<string, string> = {}): void {
    const config = { ID: this.id(name), Name: `/${newName}`, Config: { Image: 'busybox:1', Labels: labels } };
    const path = join(this.path, this.id(name), 'config.v2.json');
    fs.writeFileSync(`${path}.tmp`, JSON.stringify(config));
    fs.renameSync(`${path}.tmp`, path);
  }

  log(name: string, ...texts: string[]): void {
    for (const text of texts) fs.appendFileSync(this.file(name), jsonLine(text));
  }

  /** As the daemon does with `max-file` and `compress`: the largest number first. */
  rotate(name: string): void {
    const file = this.file(name);
    for (let n = 8; n >= 1; n -= 1) {
      if (fs.existsSync(`${file}.${n}.gz`)) fs.renameSync(`${file}.${n}.gz`, `${file}.${n + 1}.gz`);
    }
    if (fs.existsSync(`${file}.1`)) {
      fs.writeFileSync(`${file}.2.gz`, gzipSync(fs.readFileSync(`${file}.1`)));
      fs.unlinkSync(`${file}.1`);
    }
    fs.renameSync(file, `${file}.1`);
    fs.writeFileSync(file, '');
  }

  remove(name: string): void {
    fs.rmSync(join(this.path, this.id(name)), { recursive: true, force: true });
  }
}

/** What Docker writes of a line that it has cut: 16 KiB of it. */
export const PART = 'b'.repeat(16 * 1024);

export function jsonLine(text: string, stream = 'stdout'): string {
  return `${JSON.stringify({ log: text, stream, time: TIME })}\n`;
}
