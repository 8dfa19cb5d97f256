/**
 * Who must correct an error: you, the operator of the issuer, or the network.
 *
 * @example
 * const advice: Record<ProvisionBlame, string> = { you: 'see the message', issuer: 'tell its operator', network: 'wait' }
 */
export type ProvisionBlame = 'you' | 'issuer' | 'network'

/**
 * All errors, with the party that must correct each of them. After a transient error, another call of `provision()` with
 * the same state can succeed. So an error that nobody can correct on the device is transient: the device must recover
 * alone when the issuer has a valid certificate again, or when a captive portal is gone.
 */
const ERRORS = {
  key_unavailable: { blame: 'you', isTransient: false },
  key_malformed: { blame: 'you', isTransient: false },
  key_of_other_issuer: { blame: 'you', isTransient: false },
  key_expired: { blame: 'you', isTransient: false },
  key_redeemed: { blame: 'you', isTransient: false },
  enrollment_undone: { blame: 'you', isTransient: false },
  signer_failed: { blame: 'you', isTransient: false },
  state_unusable: { blame: 'you', isTransient: false },
  state_not_saved: { blame: 'you', isTransient: true },
  refused: { blame: 'you', isTransient: false },
  issuer_untrusted: { blame: 'issuer', isTransient: true },
  issuer_invalid: { blame: 'issuer', isTransient: true },
  issuer_unavailable: { blame: 'issuer', isTransient: true },
  issuer_unreachable: { blame: 'network', isTransient: true },
} as const satisfies Record<string, { readonly blame: ProvisionBlame; readonly isTransient: boolean }>

/**
 * Names what went wrong.
 *
 * - `key_unavailable`, `key_malformed`, `key_of_other_issuer`, `key_expired`, `key_redeemed`: get a new provisioning key.
 * - `enrollment_undone`: the device has used its new identity too late. Get a new provisioning key.
 * - `signer_failed`: your `signer` rejected, or returned no signature.
 * - `state_unusable`: nobody can continue with the saved state. `state_not_saved`: it could not be written.
 * - `refused`: the issuer refused the request. `status`, `oauthError` and the message have its answer.
 * - `issuer_untrusted`, `issuer_invalid`: the server is not the issuer that you named, or it does not follow the RFCs.
 * - `issuer_unavailable`, `issuer_unreachable`: the deadline passed before the issuer answered.
 *
 * @example
 * const needsNewKey: readonly ProvisionErrorCode[] = ['key_expired', 'key_redeemed', 'refused']
 */
export type ProvisionErrorCode = keyof typeof ERRORS

/** The facts of an answer that refused a request. */
export interface RefusalDetails {
  readonly cause?: unknown
  readonly status?: number | undefined
  readonly oauthError?: string | undefined
  readonly retryAfterSeconds?: number | undefined
}

/**
 * An error of `provision()`. The message is one line, and contains no key and no secret.
 *
 * @example
 * try {
 *   await provision({ issuer: 'https://auth.example.com', action: 'token', key: process.env.PROVISIONING_KEY ?? '' })
 * } catch (error) {
 *   if (error instanceof ProvisionError) process.exitCode = error.isTransient ? 75 : 1
 * }
 */
export class ProvisionError extends Error {
  override readonly name = 'ProvisionError'
  readonly code: ProvisionErrorCode
  /** Who must correct it: you, the operator of the issuer, or the network. */
  readonly blame: ProvisionBlame
  /** Whether another call of `provision()` with the same state can succeed. */
  readonly isTransient: boolean
  /** The HTTP status of the issuer, if it answered. */
  readonly status: number | undefined
  /** The OAuth `error` of the issuer, such as `invalid_token`, if it sent one. */
  readonly oauthError: string | undefined
  /** The time after which the issuer wants to be asked again, if it named one. */
  readonly retryAfterSeconds: number | undefined

  constructor(code: ProvisionErrorCode, message: string, details: RefusalDetails = {}) {
    super(message, { cause: details.cause })
    this.code = code
    this.blame = ERRORS[code].blame
    this.isTransient = ERRORS[code].isTransient
    this.status = details.status
    this.oauthError = details.oauthError
    this.retryAfterSeconds = details.retryAfterSeconds
  }
}

/** Whether the issuer gave no answer, or asked for a retry. Then the same call of `provision()` sends the request again. */
export function isOutage(error: unknown): error is ProvisionError {
  return error instanceof ProvisionError && ['issuer_unavailable', 'issuer_unreachable'].includes(error.code)
}

/** The message of any error, on one line, without characters that control a terminal or the direction of text. */
export function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text
    .replace(/[\s\p{Cc}\p{Bidi_Control}]+/gu, ' ')
    .trim()
    .slice(0, 500)
}
