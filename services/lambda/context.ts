/** What Lambda tells of a call; the part that is used. */
export interface LambdaContext {
  readonly functionName: string;
  getRemainingTimeInMillis(): number;
}
