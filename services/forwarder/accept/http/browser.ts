// Whether a request was made by a page in a browser that may not send here. Any page on the web can make its visitors'
// browsers post plain text to loopback, without asking first; the browser says so in headers that a page cannot change
// or leave out.
//
//   Origin            whose page it is: on every POST of a page, and `null` for those that hide it
//   Sec-Fetch-Site    same-origin, same-site, cross-site; none: the user typed the address
//
// https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/

import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { SluiceError } from '#shared/errors.ts';
import { isLoopbackHost } from '#shared/net/listen-address.ts';

interface Asked {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

/** The origin that is refused; null where the request may go on. Programs that are no browsers send neither header. */
export function refusedOrigin(headers: IncomingHttpHeaders, allowed: readonly string[]): string | null {
  const { origin } = headers;
  if (origin !== undefined) return allowed.includes(origin) ? null : origin;
  const site = headers['sec-fetch-site'];
  // Nothing here is a page of ours, so a request of the same origin is one of a name that was bound to our address
  // anew.
  return site === undefined || site === 'none' ? null : site;
}

/**
 * The name in the Host header where it is one that anybody may have bound to our address; null where it is localhost or
 * an address. For what only programs of this machine ask: a browser tells the origin of its page over https, and in the
 * clear often nothing.
 */
export function strangeHost({ host = '' }: IncomingHttpHeaders): string | null {
  const name = host.replace(/:\d{1,5}$/, '');
  return isLoopbackHost(name) || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0 ? null : host;
}

/** What a page makes without asking first, and the question; a path follows, not yet at its end perhaps. */
const REQUEST = /^(?:GET|HEAD|POST|OPTIONS) \//;

/**
 * Whether a connection that begins so is a request by HTTP. A page can have one made to any port, and what it posts
 * there would be lines of syslog, or messages of GELF.
 */
export function isHttpRequest(first: Buffer): boolean {
  return REQUEST.test(first.toString('latin1', 0, 16));
}

/** Throws origin_refused. */
export function refuseBrowser({ headers, method }: Asked, allowed: readonly string[]): void {
  // A question before a request: the headers of the answer say what the page may send.
  if (method === 'OPTIONS') return;
  const origin = refusedOrigin(headers, allowed);
  if (origin === null) return;
  throw new SluiceError(
    'origin_refused',
    `Cannot take events from pages of ${JSON.stringify(origin.slice(0, 200))}: ` +
      'name their origin in SLUICE_HTTP_CORS_ORIGINS',
  );
}
