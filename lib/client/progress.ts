/**
 * What `provision()` has done, or is about to do. It contains no key and no secret.
 *
 * @example
 * const onProgress = (progress: ProvisionProgress) => console.log(JSON.stringify(progress))
 */
export type ProvisionProgress =
  /** The state has a result. No key was read, and no request was sent. */
  | { readonly type: 'state.found'; readonly clientId: string }
  /** The state has a request that was not answered. It is sent again. */
  | { readonly type: 'attempt.resumed'; readonly keyId: string }
  /** A provisioning key is there, from the issuer or from you. */
  | { readonly type: 'key.received'; readonly keyId: string; readonly expiresInSeconds: number }
  /** The state was saved: the request before it is sent, or the result. */
  | { readonly type: 'state.saved'; readonly has: 'attempt' | 'result' }
  /** The clock of this machine is wrong by so many seconds. The client uses the time of the issuer. */
  | { readonly type: 'clock.corrected'; readonly bySeconds: number }
  /** A request failed, and is sent again after a delay. */
  | { readonly type: 'retry.scheduled'; readonly reason: string; readonly delaySeconds: number }
  /** The issuer has redeemed the key. */
  | { readonly type: 'key.redeemed'; readonly keyId: string; readonly clientId: string }
  /** The device has used its new identity before the deadline, so the issuer keeps it. */
  | { readonly type: 'enrollment.confirmed'; readonly clientId: string }
  /** The answer was lost, but the issuer has bound the key pair. */
  | { readonly type: 'binding.recovered'; readonly clientId: string }
  /** The answer was lost, but the issuer has registered the client with the key pair. */
  | { readonly type: 'registration.recovered'; readonly clientId: string }
  /** The device has another key pair now. */
  | { readonly type: 'binding.renewed'; readonly clientId: string }
  /** The device keeps its key pair. The next call of `provision()` tries again. */
  | { readonly type: 'renewal.failed'; readonly reason: string }

/** Receives the progress. Its errors are ignored. */
export type OnProgress = (progress: ProvisionProgress) => void
