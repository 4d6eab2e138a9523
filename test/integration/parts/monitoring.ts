// A real Prometheus and two real Alertmanagers with the configurations of infra/, their times shortened, on ports and
// in folders of their own; and a receiver that keeps what the Alertmanagers tell.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '#test/backends/free-port.ts';

const tether = join(import.meta.dirname, '../../backends/tether.sh');
const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** An alert as it is told to a receiver. */
export interface Told {
  readonly receiver: string;
  readonly status: 'firing' | 'resolved';
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly fingerprint: string;
  readonly startsAt: string;
}

/** The text with every range and every `for` divided; a range is no shorter than `leastSeconds`. */
export function shortened(rules: string, divisor: number, leastSeconds = 5): string {
  const short = (amount: string, unit: string): string => {
    const seconds = (Number(amount) * (secondsOf[unit] ?? 1)) / divisor;
    return `${Math.max(1, Math.round(seconds))}s`;
  };
  return rules
    .replaceAll(/\[(\d+)([smhd])\]/g, (_, amount: string, unit: string) => {
      const seconds = Number.parseInt(short(amount, unit), 10);
      return `[${Math.max(leastSeconds, seconds)}s]`;
    })
    .replaceAll(
      /^( +for: )(\d+)([smhd])$/gm,
      (_, head: string, amount: string, unit: string) => head + short(amount, unit),
    )
    .replaceAll(/\boffset (\d+)([smhd])/g, (_, amount: string, unit: string) => `offset ${short(amount, unit)}`);
}

export class Receiver implements AsyncDisposable {
  readonly told: Told[] = [];
  readonly #server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      response.end();
      const { alerts, receiver } = JSON.parse(body) as { alerts: Told[]; receiver: string };
      for (const alert of alerts) this.told.push({ ...alert, receiver, name: alert.labels['alertname'] ?? '' });
    });
  });

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Waits until such an alert was told; rejects, with what was told instead, when it takes too long. */
  async hears(name: string, status: Told['status'], limitMs: number): Promise<Told> {
    for (const end = performance.now() + limitMs; performance.now() < end; await delay(100)) {
      const found = this.told.findLast((alert) => alert.name === name && alert.status === status);
      if (found) return found;
    }
    const told = this.told.map((alert) => `${alert.name} ${alert.status}`).join(', ');
    throw new Error(`${name} was not told to be ${status} in ${limitMs} ms; told: ${told}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A program with a folder of its own for its files; both are gone at the end. */
class Program implements AsyncDisposable {
  readonly url: string;
  readonly #folder: string;
  readonly #child;
  #output = '';

  constructor(url: string, files: Readonly<Record<string, string>>, command: (folder: string) => string[]) {
    this.url = url;
    this.#folder = mkdtempSync(join(tmpdir(), 'sluice-monitoring-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.#folder, name), text);
    this.#child = spawn('sh', [tether, ...command(this.#folder)], { stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.#output = (this.#output + text).slice(-10_000)));
  }

  async ready(): Promise<this> {
    while (!(await fetch(`${this.url}/-/ready`).catch(() => null))?.ok) {
      if (this.#child.exitCode !== null) throw new Error(`Cannot start it: it ended\n${this.#output}`);
      await delay(50);
    }
    return this;
  }

  async get<T>(path: string): Promise<T> {
    const answer = await fetch(this.url + path);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = this.#child.exitCode === null ? once(this.#child, 'exit') : null;
    this.#child.stdin.end();
    await ended;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

export type { Program };

/** Two Alertmanagers that know each other, with the configuration of infra/ told to `receiver`. */
export async function startAlertmanagers(receiver: Receiver): Promise<[Program, Program]> {
  const config = readFileSync('infra/alertmanager/alertmanager.yml', 'utf8')
    .replaceAll('http://alerts:8080', `http://127.0.0.1:${receiver.port}`)
    .replace(/group_wait: \w+/, 'group_wait: 1s')
    .replace(/group_interval: \w+/, 'group_interval: 1s');
  const peers = [await freePort(), await freePort()];
  const start = async (peer: number | undefined): Promise<Program> => {
    const port = await freePort();
    return new Program(`http://127.0.0.1:${port}`, { 'alertmanager.yml': config }, (folder) => [
      'prometheus-alertmanager',
      `--config.file=${join(folder, 'alertmanager.yml')}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--cluster.listen-address=127.0.0.1:${peer}`,
      `--cluster.advertise-address=127.0.0.1:${peer}`,
      ...peers.map((other) => `--cluster.peer=127.0.0.1:${other}`),
    ]).ready();
  };
  return [await start(peers[0]), await start(peers[1])];
}

export interface Watched {
  /** Job → port on this machine. */
  readonly targets: Readonly<Record<string, number>>;
  readonly rules: string;
  readonly alertmanagers: readonly Program[];
}

/** A Prometheus that scrapes and evaluates every second. */
export async function startPrometheus({ targets, rules, alertmanagers }: Watched): Promise<Program> {
  const port = await freePort();
  const jobs = Object.entries(targets).map(
    ([job, target]) => `  - { job_name: ${job}, static_configs: [{ targets: ['127.0.0.1:${target}'] }] }`,
  );
  const hosts = alertmanagers.map(({ url }) => `'${new URL(url).host}'`).join(', ');
  const config = `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, external_labels: { cluster: test, replica: a } }
rule_files: [rules.yaml]
alerting:
  alert_relabel_configs: [{ action: labeldrop, regex: replica }]
  alertmanagers: [{ static_configs: [{ targets: [${hosts}] }] }]
scrape_configs:
${jobs.join('\n')}
`;
  return new Program(`http://127.0.0.1:${port}`, { 'prometheus.yml': config, 'rules.yaml': rules }, (folder) => [
    'prometheus',
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=warn',
  ]).ready();
}
