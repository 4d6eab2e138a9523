// A terminal as a person has it, with a shell in it: what is typed is echoed, programs see a terminal, and all that it
// shows is kept. Made by util-linux's `script`; what was started in it ends with it.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

const PROMPT = '$ ';
const LOOK_MS = 20;
const SHOWN_MS = 60_000;

/** Why there can be none, for `skip` of a test. */
export const noTerminal =
  ['script', 'curl'].find((program) => spawnSync(program, ['--version']).error !== undefined) ?? false;

export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcess;
  #shown = '';
  /** Where the last command was typed. */
  #typedAt = 0;

  constructor(env: NodeJS.ProcessEnv) {
    const command = ['--quiet', '--flush', '--return', '--command', 'sh', '/dev/null'];
    this.#child = spawn('script', command, { env: { ...env, PS1: PROMPT }, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#shown += text));
  }

  /** All that was shown, as lines. */
  get text(): string {
    return this.#shown.replaceAll('\r\n', '\n');
  }

  /** Types a command, and waits until the shell asks for the next one. */
  async run(command: string): Promise<void> {
    await this.start(command);
    await this.#asks();
  }

  /** Types a command that goes on. */
  async start(command: string): Promise<void> {
    await this.#asks();
    this.#typedAt = this.#shown.length;
    this.#child.stdin?.write(`${command}\n`);
    await this.shows('\n');
  }

  /** Waits until the last command has shown this. */
  async shows(text: string): Promise<void> {
    await this.#until(() => this.#shown.slice(this.#typedAt).includes(text), text);
  }

  /** Ctrl-C; the shell asks for the next command. */
  async interrupt(): Promise<void> {
    this.#typedAt = this.#shown.length;
    this.#child.stdin?.write('\u0003');
    await this.#asks();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.write('\u0003');
    this.#child.stdin?.end('exit\n');
    await Promise.race([ended, delay(SHOWN_MS, null, { ref: false })]);
    this.#child.kill('SIGKILL');
  }

  #asks(): Promise<void> {
    return this.#until(() => this.#shown.slice(this.#typedAt).endsWith(PROMPT), PROMPT);
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    const end = performance.now() + SHOWN_MS;
    while (!isSo()) {
      if (performance.now() > end) throw new Error(`the terminal never showed ${what}, but\n${this.text}`);
      await delay(LOOK_MS);
    }
  }
}
