// What one address and one connection may take of the inputs: rates, numbers, times. See settings.ts.

import { Type } from 'typebox';
import { bytes, GIB, integer, list, MIB, milliseconds, text, type Setting } from './setting-kinds.ts';

export const connections = {
  'rate.connections_per_address': integer(
    { minimum: 0, maximum: 1_000_000 },
    'New connections a second from one address, all inputs together; ten times as many at once; 0: any number.',
    { default: 1000 },
  ),
  'rate.requests_per_address': integer(
    { minimum: 0, maximum: 1_000_000 },
    'HTTP requests a second from one address; ten times as many at once; 0: any number.',
    { default: 5000 },
  ),
  'rate.bytes_per_address': bytes(
    { minimum: 0, maximum: 64 * GIB },
    'Bytes a second from one address, as sent; ten times as many at once; then it is not read for a while, and its ' +
      'datagrams are dropped. 0: any number.',
    { default: 128 * MIB },
  ),
  'rate.small_events_per_address': integer(
    { minimum: 0, maximum: 1_000_000_000 },
    'Events a second from one address for which there are not 16 bytes each, uncompressed; 100,000 at once, and five ' +
      'times as many of those that were sent as less than a quarter of a byte each. Then it is not read for a while. ' +
      'Also for `rate.exempt_networks`. 0: any number.',
    { default: 2000 },
  ),
  'rate.exempt_networks': list('Networks that have none of the other rates, such as those of load balancers.', {
    default: ['127.0.0.0/8', '::1'],
  }),
  'forward.max_connections': integer({ minimum: 1, maximum: 1_000_000 }, 'Connections of the Forward input.', {
    default: 16_384,
  }),
  'forward.max_connections_per_address': integer(
    { minimum: 1, maximum: 1_000_000 },
    'Connections of the Forward input from one address.',
    { default: 8192 },
  ),
  'http.max_connections': integer({ minimum: 1, maximum: 1_000_000 }, 'Connections of the HTTP inputs.', {
    default: 2048,
  }),
  'http.max_connections_per_address': integer(
    { minimum: 1, maximum: 1_000_000 },
    'Connections of the HTTP inputs from one address.',
    { default: 1024 },
  ),
  'syslog.max_connections': integer({ minimum: 1, maximum: 1_000_000 }, 'Connections of the syslog input.', {
    default: 4096,
  }),
  'syslog.max_connections_per_address': integer(
    { minimum: 1, maximum: 1_000_000 },
    'Connections of the syslog input from one address.',
    { default: 2048 },
  ),
  'gelf.max_connections': integer({ minimum: 1, maximum: 1_000_000 }, 'Connections of the GELF input.', {
    default: 4096,
  }),
  'gelf.max_connections_per_address': integer(
    { minimum: 1, maximum: 1_000_000 },
    'Connections of the GELF input from one address.',
    { default: 2048 },
  ),
  'forward.handshake_timeout_ms': milliseconds(
    { minimum: 100, maximum: 600_000 },
    'How long TLS and the shared key may take on a new connection.',
    { default: 10_000 },
  ),
  'forward.frame_timeout_ms': milliseconds(
    { minimum: 100, maximum: 86_400_000 },
    'How long a frame may take to come whole, and a peer to read its acks.',
    { default: 300_000 },
  ),
  // A sender without acks does not see that it was closed, and its next line is lost: so none is closed unless asked
  // for.
  'forward.idle_timeout_ms': milliseconds(
    { minimum: 0, maximum: 30 * 86_400_000 },
    'How long a connection of the Forward input may be silent; 0: for ever.',
    { default: 0 },
  ),
  'forward.socket_mode': {
    ...text('Permissions of the unix socket, where Forward listens on one, such as 0660; else as the umask says.', {}),
    schema: Type.String({ pattern: '^0?[0-7]{3}$' }),
  },
} as const satisfies Record<string, Setting>;
