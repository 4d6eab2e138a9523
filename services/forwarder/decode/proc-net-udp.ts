// How many datagrams the kernel dropped because a socket's buffer was full: the last column of /proc/net/udp and udp6
// (Linux).
//
//    sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
//   402: 0100007F:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 9167 2 0000000000000000 17
//
// Addresses are words of the machine's own byte order in hex, ports big-endian.
// https://docs.kernel.org/networking/proc_net_tcp.html

const LOCAL_COLUMN = 1;
const DROPS_COLUMN = 12;

/** The drops of the socket that is bound to the address and port; null unless there is exactly one. */
export function udpDrops(table: string, host: string, port: number): number | null {
  const local = `${addressHex(host)}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[LOCAL_COLUMN] === local);
  const drops = rows.length === 1 ? Number(rows[0]?.[DROPS_COLUMN]) : NaN;
  return Number.isSafeInteger(drops) ? drops : null;
}

function addressHex(host: string): string {
  const bytes = host.includes(':') ? ipv6Bytes(host) : Buffer.from(host.split('.').map(Number));
  return Buffer.from(bytes).swap32().toString('hex').toUpperCase();
}

/** As a socket tells its own address: canonical, perhaps with a zone, perhaps ending in an IPv4 address. */
function ipv6Bytes(host: string): Buffer {
  const bare = host.replace(/%.*$/, '').replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...numbers) => {
    const [a = 0, b = 0, c = 0, d = 0] = numbers.slice(0, 4).map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail] = bare.split('::');
  const words = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const front = words(head);
  const back = words(tail ?? '');
  const zeros = new Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0');
  return Buffer.from([...front, ...zeros, ...back].map((word) => word.padStart(4, '0')).join(''), 'hex');
}
