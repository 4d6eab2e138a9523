// The lines that `npm run dev` sends: what the containers of a small shop write. Each kind takes another path through
// the program: an access log as Docker's driver has it, structured records with levels, and an error whose message has
// several lines. Pure.

interface Line {
  readonly tag: string;
  readonly record: Readonly<Record<string, unknown>>;
}

type Kind = (n: number, atMs: number, random: () => number) => Line;

/** In this order, again and again: mostly access logs, now and then an error, as in life. */
const KINDS: readonly Kind[] = [access, order, access, retry, access, order, access, cacheMiss, access, order, failure];

/** The `n`th line, as of `atMs`; `random` gives what differs from one line to the next. */
export function lineAt(n: number, atMs: number, random: () => number): Line {
  const kind = KINDS[n % KINDS.length] ?? access;
  return kind(n, atMs, random);
}

function access(n: number, atMs: number, random: () => number): Line {
  const client = `203.0.113.${pick(random, 250)}`;
  const time = new Date(atMs).toISOString().slice(0, 19);
  const status = random() < 0.1 ? 404 : 200;
  const log = `${client} - - [${time}Z] "GET /items/${n}?page=${pick(random, 9)} HTTP/1.1" ${status} ${pick(random, 9000)} "-" "Mozilla/5.0"`;
  return { tag: 'shop.web', record: { ...container('web', 'stdout'), log } };
}

function order(n: number, _atMs: number, random: () => number): Line {
  return {
    tag: 'shop.api',
    record: {
      level: 'info',
      message: 'order placed',
      service_name: 'shop-api',
      order: { id: n, items: 1 + pick(random, 5), total: pick(random, 20_000) / 100 },
      duration_ms: pick(random, 400) / 10,
    },
  };
}

function cacheMiss(n: number): Line {
  const record = { level: 'debug', message: `cache miss for item ${n}`, service_name: 'shop-api' };
  return { tag: 'shop.api', record };
}

function retry(n: number, _atMs: number, random: () => number): Line {
  const log = `WARN payment ${n} not confirmed yet, trying again in ${1 + pick(random, 5)} s`;
  return { tag: 'shop.worker', record: { ...container('worker', 'stderr'), level: 'warn', log } };
}

function failure(n: number): Line {
  const log = [
    `ERROR cannot charge order ${n}: connect ECONNREFUSED 10.0.3.7:5432`,
    '    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)',
    '    at async Pool.acquire (/app/src/database/pool.ts:48:18)',
    '    at async charge (/app/src/payments/charge.ts:112:22)',
  ].join('\n');
  return { tag: 'shop.worker', record: { ...container('worker', 'stderr'), level: 'error', log } };
}

/** As Docker's fluentd driver names it. */
function container(service: string, source: 'stdout' | 'stderr'): Record<string, string> {
  return { container_name: `/shop-${service}-1`, container_id: '3f4e8a9b'.repeat(8), source };
}

function pick(random: () => number, below: number): number {
  return Math.floor(random() * below);
}
