/** What Lambda says of an invocation; the part that is used. */
export interface LambdaContext {
  readonly functionName: string;
  getRemainingTimeInMillis(): number;
}
