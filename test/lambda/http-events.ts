// Requests in the forms in which AWS gives them to a function, after the examples of its documentation, for any
// request.

export interface HttpCall {
  readonly method?: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  readonly source?: string;
}

const SOURCE = '203.0.113.7';

/** Text goes as it is, everything else as base64. */
function bodyOf(body: HttpCall['body']): { body: string | null; isBase64Encoded: boolean } {
  if (body === undefined || typeof body === 'string') return { body: body ?? null, isBase64Encoded: false };
  return { body: Buffer.from(body).toString('base64'), isBase64Encoded: true };
}

const lists = (values: Readonly<Record<string, string>>): Record<string, string[]> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [value]]));

/** API Gateway REST API, payload 1.0. */
export function restApiEvent({ method = 'POST', path, query, headers = {}, body, source = SOURCE }: HttpCall): object {
  return {
    resource: '/{proxy+}',
    path,
    httpMethod: method,
    headers: { Host: 'id.execute-api.eu-central-1.amazonaws.com', 'X-Forwarded-For': source, ...headers },
    multiValueHeaders: lists({ 'X-Forwarded-For': source, ...headers }),
    queryStringParameters: query ?? null,
    multiValueQueryStringParameters: query ? lists(query) : null,
    pathParameters: { proxy: path.slice(1) },
    stageVariables: null,
    requestContext: {
      accountId: '123456789012',
      apiId: 'id',
      httpMethod: method,
      identity: { sourceIp: source, userAgent: 'curl/8.5.0' },
      path: `/prod${path}`,
      protocol: 'HTTP/1.1',
      requestId: 'c6af9ac6-7b61-11e6-9a41-93e8deadbeef',
      resourceId: '123456',
      resourcePath: '/{proxy+}',
      stage: 'prod',
    },
    ...bodyOf(body),
  };
}

/**
 * API Gateway HTTP API, payload 2.0, and a function URL (its stage is `$default`): names of headers are in lower case.
 */
export function httpApiEvent(call: HttpCall, stage = '$default'): object {
  const { method = 'POST', path, query, headers = {}, body, source = SOURCE } = call;
  const rawPath = stage === '$default' ? path : `/${stage}${path}`;
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString: new URLSearchParams(query).toString(),
    headers: { host: 'id.lambda-url.eu-central-1.on.aws', 'x-forwarded-for': source, ...Object.fromEntries(lower) },
    ...(query && { queryStringParameters: query }),
    requestContext: {
      accountId: 'anonymous',
      apiId: 'id',
      domainName: 'id.lambda-url.eu-central-1.on.aws',
      http: { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: source, userAgent: 'curl/8.5.0' },
      requestId: '0f5aa2e9-2c9c-4ee2-a1a2-8e7d9d7d1a41',
      routeKey: '$default',
      stage,
      time: '21/Nov/2026:08:00:00 +0000',
      timeEpoch: 1_795_248_000_000,
    },
    ...bodyOf(body),
  };
}

/** A load balancer, with lists of headers or without; queries come as they were sent. */
export function albEvent(call: HttpCall, { inLists = false, forwarded = '' } = {}): object {
  const { method = 'POST', path, query, headers = {}, body, source = SOURCE } = call;
  const all = {
    host: 'lambda-alb.example',
    'x-forwarded-for': forwarded || source,
    'x-forwarded-proto': 'https',
    ...headers,
  };
  const { body: text, isBase64Encoded } = bodyOf(body);
  return {
    requestContext: {
      elb: {
        targetGroupArn: 'arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/sluice/49e9d65c45c6791a',
      },
    },
    httpMethod: method,
    path,
    ...(inLists
      ? { multiValueQueryStringParameters: lists(query ?? {}), multiValueHeaders: lists(all) }
      : { queryStringParameters: query ?? {}, headers: all }),
    body: text ?? '',
    isBase64Encoded,
  };
}
