// The function's side of the Lambda Runtime API, as AWS's own runtimes do it: loads the handler, asks for the next
// event, calls, answers. Run as a process of its own: node bootstrap.ts MODULE, with AWS_LAMBDA_RUNTIME_API=host:port
// in the environment. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

import { pathToFileURL } from 'node:url';

const api = `http://${process.env['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime`;
const post = (path: string, body: unknown): Promise<Response> =>
  fetch(`${api}/${path}`, { method: 'POST', body: JSON.stringify(body) });
const errorOf = (error: unknown): object =>
  error instanceof Error
    ? { errorMessage: error.message, errorType: error.name }
    : { errorMessage: String(error), errorType: 'Error' };

try {
  const { handler } = await import(pathToFileURL(process.argv[2] ?? '').href);
  for (;;) {
    const next = await fetch(`${api}/invocation/next`);
    const id = next.headers.get('lambda-runtime-aws-request-id');
    const deadlineMs = Number(next.headers.get('lambda-runtime-deadline-ms'));
    const context = { functionName: 'under-test', getRemainingTimeInMillis: () => deadlineMs - Date.now() };
    try {
      await post(`invocation/${id}/response`, await handler(await next.json(), context));
    } catch (error) {
      await post(`invocation/${id}/error`, errorOf(error));
    }
  }
} catch (error) {
  await post('init/error', errorOf(error));
  process.exit(1);
}
