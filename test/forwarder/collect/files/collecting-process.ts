// The collector as a process that can be killed, and what its intake holds, by name.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./collecting-child.ts', import.meta.url));

/** A process that collects, and what its intake holds. */
export class Collector {
  kills = -1;
  /** What it said, a line each. */
  told: string[] = [];
  /** By how much its clock is wrong. */
  #clockMs = 0;
  readonly #waiting = new Map<string, (line: string) => void>();
  readonly #folder: string;
  readonly #names = new Map<string, string>();
  readonly #texts = new Map<string, number>();
  #child: ChildProcess | null = null;
  #at = 0;
  #repeats = 0;

  readonly #what: string;

  /** `what`: patterns; else `*.log` of its folder `logs`. */
  constructor(folder: string, what = join(folder, 'logs', '*.log')) {
    this.#folder = folder;
    this.#what = what;
    fs.writeFileSync(this.#heldFile, '');
  }

  get #heldFile(): string {
    return join(this.#folder, 'held');
  }

  async start(): Promise<void> {
    const args = [CHILD, join(this.#folder, 'data'), this.#heldFile, this.#what];
    const env = { ...process.env, SLUICE_TEST_CLOCK_MS: String(this.#clockMs) };
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
    // What is written to one that was killed is for nobody.
    child.stdin.on('error', () => undefined);
    const ready = this.#untilTold('collecting_files');
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.told.push(`${line}\n`);
      for (const [event, tell] of this.#waiting) if (line.startsWith(`{"event":"${event}"`)) tell(line);
    });
    this.#child = child;
    await ready;
  }

  /** Its clock jumps, to what is so far from the right time. */
  jump(ms: number): void {
    this.#clockMs = ms;
    this.say(`clock ${ms}`);
  }

  say(command: string): void {
    this.#child?.stdin?.write(`${command}\n`);
  }

  /** Bytes that it has seen, and its intake does not hold. */
  async unreadBytes(): Promise<number> {
    const line = this.#untilTold('figures');
    this.say('figures');
    return (JSON.parse(await line) as { unreadBytes: number }).unreadBytes;
  }

  #untilTold(event: string): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#waiting.set(event, resolve);
    return promise.finally(() => this.#waiting.delete(event));
  }

  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    if (this.#child !== null) await once(this.#child, 'close');
    this.#child = null;
  }

  async kill(): Promise<void> {
    if (this.#child === null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
    this.#child = null;
    this.kills += 1;
  }

  /** What is held by now. A line that is cut is one that was being written when the process was killed. */
  held(): { count: number; repeats: number; texts: Map<string, number> } {
    const bytes = fs.readFileSync(this.#heldFile);
    const end = bytes.lastIndexOf(0x0a) + 1;
    for (const line of bytes.toString('utf8', this.#at, end).split('\n')) {
      if (line === '') continue;
      const name = line.slice(0, line.indexOf(' '));
      const text = JSON.parse(line.slice(name.length + 1)) as string;
      const before = this.#names.get(name);
      if (before !== undefined && before !== text) throw new Error(`two texts of one name: ${before}, ${text}`);
      if (before !== undefined) this.#repeats += 1;
      else this.#texts.set(text, (this.#texts.get(text) ?? 0) + 1);
      this.#names.set(name, text);
    }
    this.#at = Math.max(this.#at, end);
    return { count: this.#names.size, repeats: this.#repeats, texts: this.#texts };
  }
}
