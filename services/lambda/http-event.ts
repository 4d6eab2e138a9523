// What AWS gives to a function that is called by HTTP, and what it may answer: the parts of the four forms that are
// used here.
//
//   API Gateway REST (1.0)     path, httpMethod, multiValueHeaders beside headers, requestContext.identity.sourceIp
//   API Gateway HTTP (2.0)     rawPath (with the stage before it), requestContext.http.{method, sourceIp}
//   function URL               as 2.0
//   load balancer (ALB)        path, httpMethod, requestContext.elb; the peer only in X-Forwarded-For; headers or multiValueHeaders
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html

import { isIP } from 'node:net';
import { plainAddress } from '#shared/net/networks.ts';

export interface HttpEvent {
  readonly version?: string;
  readonly rawPath?: string;
  readonly headers?: Readonly<Record<string, string | undefined>> | null;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[] | undefined>> | null;
  readonly requestContext: {
    readonly stage?: string;
    readonly elb?: object;
    readonly http?: { readonly sourceIp?: string };
    readonly identity?: { readonly sourceIp?: string };
  };
}

/** Whether it is a request by HTTP at all: a function can be called with anything. */
export function isHttpEvent(event: unknown): event is HttpEvent {
  if (typeof event !== 'object' || event === null || !('requestContext' in event)) return false;
  const { requestContext } = event;
  if (typeof requestContext !== 'object' || requestContext === null) return false;
  return 'httpMethod' in event || ('http' in requestContext && 'rawPath' in event);
}

/** Of a request whose source is not given; lies in no network. */
const UNKNOWN = 'unknown';

/** The address of who sent it, an IPv4 address in its own form. */
export function sourceOf({ requestContext, headers, multiValueHeaders }: HttpEvent): string {
  const given = requestContext.http?.sourceIp ?? requestContext.identity?.sourceIp;
  const forwarded = multiValueHeaders?.['x-forwarded-for']?.at(-1) ?? headers?.['x-forwarded-for'] ?? '';
  // The balancer puts its own peer last; what stands before it is the sender's word.
  const last = forwarded.slice(forwarded.lastIndexOf(',') + 1).trim();
  const source = plainAddress(given ?? (requestContext.elb ? last || UNKNOWN : UNKNOWN));
  return isIP(source) === 0 ? UNKNOWN : source;
}

/** The same event, as the adapter wants it: the source where it looks for it, and the path without its stage. */
export function adapted(event: HttpEvent, source: string): HttpEvent {
  const { rawPath, requestContext } = event;
  const prefix = `/${requestContext.stage ?? ''}/`;
  const staged = event.version === '2.0' && rawPath?.startsWith(prefix) && requestContext.stage !== '$default';
  return {
    ...event,
    ...(staged && rawPath !== undefined ? { rawPath: rawPath.slice(prefix.length - 1) } : {}),
    requestContext: requestContext.http ? requestContext : { ...requestContext, identity: { sourceIp: source } },
  };
}

/** A load balancer that gives lists of headers reads lists only. */
export function wantsHeaderLists({ headers, multiValueHeaders }: HttpEvent): boolean {
  return Boolean(multiValueHeaders) && !headers;
}
