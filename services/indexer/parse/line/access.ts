// Lines of access logs in the combined form of Apache and nginx, and in the common form, which ends behind the bytes
// (https://httpd.apache.org/docs/2.4/logs.html#accesslog, https://nginx.org/en/docs/http/ngx_http_log_module.html):
//
//   10.0.0.1 - bob [02/Jan/2026:03:04:05 +0000] "GET /cart?page=2 HTTP/1.1" 200 612 "https://shop/" "curl/8.1"
//
// The line stays the message: it is what people read. Its parts are fields as well. So are those of what servers for
// development and of Python write:
//
//   shop.example:443 10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] …  Apache, with the virtual host before it
//   [02/Jan/2026 03:04:05] "GET /cart HTTP/1.1" 200 612          Django
//   … *1 open() failed, client: 10.0.0.1, server: , request: "GET /cart HTTP/1.1", host: "shop"   nginx, of errors
//   INFO:     10.0.0.1:4711 - "GET /cart HTTP/1.1" 200 OK        uvicorn, behind a level

import { isAddress } from '../address.ts';
import { type Line, fieldNumber } from './line.ts';
import {
  BACKSLASH,
  CLOSING,
  COLON,
  DASH,
  OPENING,
  QUOTE,
  SPACE,
  find,
  integerOf,
  isDigit,
  isLetter,
  pastWord,
} from './scan.ts';

const HEAD_BYTES_MAX = 512;
const IP = fieldNumber('client.ip');
const CLIENT_PORT = fieldNumber('client.port');
const USER = fieldNumber('user.name');
const METHOD = fieldNumber('http.request.method');
const DOMAIN = fieldNumber('url.domain');
const URL = fieldNumber('url.original');
const VERSION = fieldNumber('http.version');
const STATUS = fieldNumber('http.response.status_code');
const BYTES = fieldNumber('http.response.body.bytes');
const REFERRER = fieldNumber('http.request.referrer');
const AGENT = fieldNumber('user_agent.original');
const COMMA = 0x2c;
const NGINX_CLIENT = Buffer.from(', client: ');
const NGINX_REQUEST = Buffer.from(', request: "');
const IP_BYTES_MAX = 48;
/** `HTTP/` */
const PROTOCOL_BYTES = 5;

export function readAccess(bytes: Uint8Array, start: number, end: number, line: Line): boolean {
  const limit = Math.min(end, start + HEAD_BYTES_MAX);
  const firstEnd = pastWord(bytes, start, limit);
  const portAt = isAddress(bytes, start, firstEnd) ? -1 : pastHost(bytes, start, firstEnd);
  const clientAt = portAt < 0 ? start : firstEnd + 1;
  const hostEnd = portAt < 0 ? firstEnd : pastWord(bytes, clientAt, limit);
  const identityEnd = pastWord(bytes, hostEnd + 1, limit);
  if (!isAddress(bytes, clientAt, hostEnd) || bytes[identityEnd] !== SPACE) return false;
  const userEnd = find(bytes, identityEnd + 1, limit, OPENING) - 1;
  if (userEnd <= identityEnd || bytes[userEnd] !== SPACE) return false;
  const timeEnd = line.time.read(bytes, userEnd + 2, limit);
  if (timeEnd < 0 || bytes[timeEnd] !== CLOSING || bytes[timeEnd + 2] !== QUOTE) return false;
  const statusEnd = readAnswered(bytes, timeEnd + 3, end, line);
  if (statusEnd < 0) return false;
  line.setText(IP, bytes, clientAt, hostEnd);
  if (portAt >= 0) line.setText(DOMAIN, bytes, start, portAt - 1);
  setUnlessDash(line, USER, bytes, identityEnd + 1, userEnd);
  readAgent(bytes, readBytes(bytes, statusEnd, end, line), end, line);
  return true;
}

/** Behind the colon of `shop.example:443`; -1 for anything else. */
function pastHost(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && isDigit(bytes[at - 1]!)) at -= 1;
  return at < end && at - 1 > start && bytes[at - 1] === COLON && isLetter(bytes[start]!) ? at : -1;
}

/** Django's: a time in brackets, of no zone, and the request. */
export function readTimedRequest(bytes: Uint8Array, start: number, end: number, line: Line): boolean {
  const timeEnd = line.time.read(bytes, start + 1, Math.min(end, start + HEAD_BYTES_MAX));
  if (timeEnd < 0 || bytes[timeEnd] !== CLOSING || bytes[timeEnd + 2] !== QUOTE) return false;
  const statusEnd = readAnswered(bytes, timeEnd + 3, end, line);
  if (statusEnd < 0) return false;
  readBytes(bytes, statusEnd, end, line);
  return true;
}

/** uvicorn's, behind the level: an address and a port, a dash, the request. */
export function readClientRequest(bytes: Uint8Array, start: number, end: number, line: Line): boolean {
  const hostEnd = pastWord(bytes, start, Math.min(end, start + HEAD_BYTES_MAX));
  let colon = hostEnd - 1;
  while (colon > start && bytes[colon] !== COLON) colon -= 1;
  const port = integerOf(bytes, colon + 1, hostEnd);
  if (port < 0 || !isAddress(bytes, start, colon)) return false;
  if (bytes[hostEnd + 1] !== DASH || bytes[hostEnd + 3] !== QUOTE) return false;
  if (readAnswered(bytes, hostEnd + 4, end, line) < 0) return false;
  line.setText(IP, bytes, start, colon);
  line.setInteger(CLIENT_PORT, port);
  return true;
}

/** nginx's, at the end of a text about an error: what it has is of the text too. */
export function readNginxRequest(bytes: Uint8Array, start: number, end: number, line: Line): void {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
  const client = text.indexOf(NGINX_CLIENT);
  if (client < 0) return;
  const ipAt = start + client + NGINX_CLIENT.length;
  const ipEnd = find(bytes, ipAt, Math.min(end, ipAt + IP_BYTES_MAX), COMMA);
  if (ipEnd < 0 || !isAddress(bytes, ipAt, ipEnd)) return;
  line.setText(IP, bytes, ipAt, ipEnd);
  const request = text.indexOf(NGINX_REQUEST, client);
  const requestAt = start + request + NGINX_REQUEST.length;
  const requestEnd = request < 0 ? -1 : pastQuoted(bytes, requestAt, end);
  if (requestEnd >= 0) readRequest(bytes, requestAt, requestEnd, line);
}

/** A request in quotes, which begins at `at`, and its status; where that ends, or -1 where there is none. */
function readAnswered(bytes: Uint8Array, at: number, end: number, line: Line): number {
  const requestEnd = pastQuoted(bytes, at, end);
  const statusEnd = pastWord(bytes, requestEnd + 2, end);
  const status = requestEnd < 0 ? -1 : integerOf(bytes, requestEnd + 2, statusEnd);
  if (status < 100 || status > 999) return -1;
  readRequest(bytes, at, requestEnd, line);
  line.setInteger(STATUS, status);
  return statusEnd;
}

/** The bytes of the answer; where they end. */
function readBytes(bytes: Uint8Array, statusEnd: number, end: number, line: Line): number {
  const bytesEnd = pastWord(bytes, statusEnd + 1, end);
  const size = integerOf(bytes, statusEnd + 1, bytesEnd);
  if (size >= 0) line.setInteger(BYTES, size);
  return bytesEnd;
}

/** GET /cart HTTP/1.1; anything else that a client sent is in the message only. */
function readRequest(bytes: Uint8Array, start: number, end: number, line: Line): void {
  const methodEnd = pastWord(bytes, start, end);
  const urlEnd = pastWord(bytes, methodEnd + 1, end);
  if (urlEnd >= end || urlEnd === methodEnd + 1 || end - urlEnd < PROTOCOL_BYTES + 2) return;
  line.setText(METHOD, bytes, start, methodEnd);
  line.setText(URL, bytes, methodEnd + 1, urlEnd);
  line.setText(VERSION, bytes, urlEnd + 1 + PROTOCOL_BYTES, end);
}

/** ` "referrer" "agent"`, if they are there. */
function readAgent(bytes: Uint8Array, at: number, end: number, line: Line): void {
  if (bytes[at + 1] !== QUOTE || at + 2 >= end) return;
  const referrerEnd = pastQuoted(bytes, at + 2, end);
  if (referrerEnd < 0) return;
  setUnlessDash(line, REFERRER, bytes, at + 2, referrerEnd);
  if (bytes[referrerEnd + 2] !== QUOTE || referrerEnd + 3 >= end) return;
  const agentEnd = pastQuoted(bytes, referrerEnd + 3, end);
  if (agentEnd >= 0) setUnlessDash(line, AGENT, bytes, referrerEnd + 3, agentEnd);
}

/** Where the quotes that were opened before `start` end; -1 where they do not. */
function pastQuoted(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at < end ? at : -1;
}

function setUnlessDash(line: Line, field: number, bytes: Uint8Array, start: number, end: number): void {
  if (start < end && !(end - start === 1 && bytes[start] === DASH)) line.setText(field, bytes, start, end);
}
