/**
 * Every reason for refusing a request, and the registered OAuth error code of the answer.
 *
 * The code is public (RFC 6749 5.2, RFC 6750 3.1, RFC 7591 3.2.2, RFC 8707 2, RFC 8628 3.5 for `slow_down`). The reason
 * is private: it goes to the `request.refused` event and is never sent.
 */
export const REASONS = {
  cleartext: 'invalid_request',
  credentials_missing: 'invalid_token',
  header_repeated: 'invalid_request',
  header_malformed: 'invalid_request',
  token_in_query: 'invalid_request',
  token_presented_twice: 'invalid_request',
  media_type_unsupported: 'invalid_request',
  body_too_large: 'invalid_request',
  body_malformed: 'invalid_request',
  body_incomplete: 'invalid_request',
  method_not_allowed: 'invalid_request',
  parameter_repeated: 'invalid_request',
  parameter_malformed: 'invalid_request',
  parameter_missing: 'invalid_request',

  key_malformed: 'invalid_token',
  key_type_wrong: 'invalid_token',
  key_algorithm_refused: 'invalid_token',
  key_header_refused: 'invalid_token',
  signing_key_unknown: 'invalid_token',
  signing_key_retired: 'invalid_token',
  signature_wrong: 'invalid_token',
  claims_malformed: 'invalid_token',
  issuer_wrong: 'invalid_token',
  audience_wrong: 'invalid_token',
  environment_wrong: 'invalid_token',
  key_expired: 'invalid_token',
  key_not_yet_valid: 'invalid_token',
  lifetime_excessive: 'invalid_token',
  possession_unproven: 'invalid_token',
  network_wrong: 'invalid_token',
  key_unknown: 'invalid_token',
  key_redeeming: 'invalid_token',
  key_redeemed: 'invalid_token',
  key_revoked: 'invalid_token',
  key_forged: 'invalid_token',
  client_locked: 'invalid_token',
  inactive_at_issuer: 'invalid_token',
  token_forged: 'invalid_token',
  token_unknown: 'invalid_token',
  token_revoked: 'invalid_token',
  scope_insufficient: 'insufficient_scope',

  key_unbound: 'invalid_token',
  dpop_repeated: 'invalid_dpop_proof',
  dpop_malformed: 'invalid_dpop_proof',
  dpop_type_wrong: 'invalid_dpop_proof',
  dpop_algorithm_refused: 'invalid_dpop_proof',
  dpop_key_refused: 'invalid_dpop_proof',
  dpop_signature_wrong: 'invalid_dpop_proof',
  dpop_claims_malformed: 'invalid_dpop_proof',
  dpop_method_wrong: 'invalid_dpop_proof',
  dpop_target_wrong: 'invalid_dpop_proof',
  dpop_stale: 'invalid_dpop_proof',
  dpop_token_hash_wrong: 'invalid_dpop_proof',
  dpop_replayed: 'invalid_dpop_proof',
  dpop_missing: 'invalid_dpop_proof',
  possession_required: 'invalid_request',
  certificate_missing: 'invalid_request',
  certificate_header_malformed: 'invalid_request',
  dpop_nonce_wanted: 'use_dpop_nonce',

  client_authentication_missing: 'invalid_client',
  client_authentication_repeated: 'invalid_request',
  client_unknown: 'invalid_client',
  confirmation_missed: 'invalid_client',
  client_secret_wrong: 'invalid_client',
  client_method_refused: 'invalid_client',
  client_assertion_malformed: 'invalid_client',
  client_assertion_signature_wrong: 'invalid_client',
  client_assertion_claims_wrong: 'invalid_client',
  client_assertion_expired: 'invalid_client',
  client_assertion_lifetime_excessive: 'invalid_client',
  client_assertion_replayed: 'invalid_client',
  client_certificate_wrong: 'invalid_client',
  client_certificate_untrusted: 'invalid_client',
  client_certificate_expired: 'invalid_client',
  client_mismatch: 'invalid_request',

  grant_unsupported: 'unsupported_grant_type',
  grant_not_permitted: 'unauthorized_client',
  subject_not_permitted: 'unauthorized_client',
  scope_malformed: 'invalid_scope',
  scope_not_permitted: 'invalid_scope',
  scope_default_missing: 'invalid_scope',
  audience_malformed: 'invalid_target',
  audience_not_permitted: 'invalid_target',
  lifetime_not_permitted: 'invalid_request',
  token_type_unsupported: 'invalid_request',

  binding_key_refused: 'invalid_request',
  binding_proof_wrong: 'invalid_request',
  binding_exists: 'invalid_request',
  client_exists: 'invalid_client_metadata',
  metadata_invalid: 'invalid_client_metadata',
  redirect_uri_invalid: 'invalid_redirect_uri',
  software_statement_missing: 'invalid_software_statement',
  software_statement_invalid: 'invalid_software_statement',
  software_statement_unapproved: 'unapproved_software_statement',
  registration_refused: 'invalid_client_metadata',
  registration_token_wrong: 'invalid_token',
  registration_token_expired: 'invalid_token',
  registration_token_misused: 'invalid_token',
  client_changed: 'invalid_request',
  too_many_requests: 'slow_down',
  too_many_keys_outstanding: 'slow_down',
  too_many_proofs: 'slow_down',
  redemption_pending: 'temporarily_unavailable',
  issuance_suspended: 'temporarily_unavailable',
  store_full: 'temporarily_unavailable',
  store_unavailable: 'temporarily_unavailable',
  registry_unavailable: 'temporarily_unavailable',
  client_contended: 'temporarily_unavailable',
  signing_keys_unavailable: 'temporarily_unavailable',
  introspection_unavailable: 'temporarily_unavailable',
  token_issuer_unavailable: 'temporarily_unavailable',
  audit_unavailable: 'temporarily_unavailable',
  server_fault: 'server_error',
} as const satisfies Record<string, string>

/**
 * Why a request was refused. It is private: events have it, answers do not.
 *
 * @example
 * const suspicious: readonly Reason[] = ['key_forged', 'key_redeemed', 'client_assertion_replayed']
 */
export type Reason = keyof typeof REASONS

/**
 * The public code of a refusal: the `error` member of the answer. Each is a registered OAuth error code.
 *
 * @example
 * const retryable: readonly ErrorCode[] = ['slow_down', 'temporarily_unavailable', 'use_dpop_nonce']
 */
export type ErrorCode = (typeof REASONS)[Reason]

/** Facts about a refusal, for its answer or its event. They never contain a secret. */
export interface RefusalFacts {
  readonly clientId?: string
  readonly subject?: string
  /** NumericDate: only of a genuine key. */
  readonly expiresAt?: number
  readonly isForwardedByStranger?: boolean
  readonly jti?: string
  readonly tokenId?: string
  readonly requiredScope?: string
  readonly retryAfterSeconds?: number
  readonly allowedMethods?: string
  /** What the server did because of the request, in one sentence. Only the answers of a local deployment contain it. */
  readonly consequence?: string
}

/**
 * A refused request. `keys.errorHandler()` answers it; calls for operators reject with it.
 *
 * `message` is precise. It names a parameter and its allowed values, never a value from the request: clients paste
 * secrets into wrong places. If `disclosed` is set, the answer contains it. Otherwise the answer contains the uniform
 * sentence of `code`.
 *
 * @example
 * await keys.deleteClient('device:7').catch((error) => {
 *   if (error instanceof ProvisioningError && error.code === 'temporarily_unavailable') console.warn('Try again later.')
 *   else throw error
 * })
 */
export class ProvisioningError extends Error {
  override readonly name = 'ProvisioningError'
  /** The public code: the `error` member of the answer. */
  readonly code: ErrorCode
  /** Why the request was refused. It is private: do not send it to clients. */
  readonly reason: Reason
  /** Whether the answer contains `message`: it is about the form of the request, or the caller is authenticated. */
  readonly disclosed: boolean
  /** Facts for the answer or the event, without secrets. */
  readonly facts: RefusalFacts

  constructor(
    reason: Reason,
    message: string,
    options: { code?: ErrorCode; disclosed?: boolean; facts?: RefusalFacts; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = options.code ?? REASONS[reason]
    this.reason = reason
    this.disclosed = options.disclosed ?? false
    this.facts = Object.freeze({ ...options.facts })
  }

  /** A copy with some members replaced. `facts` are added to the present ones. */
  with(changes: { code?: ErrorCode; disclosed?: boolean; facts?: RefusalFacts }): ProvisioningError {
    const { code, reason, disclosed, cause } = this
    const facts = { ...this.facts, ...changes.facts }
    return new ProvisioningError(reason, this.message, { code, disclosed, ...changes, facts, cause })
  }
}

/** A refusal whose message any caller may read, because it is only about the form of the request. */
export function malformed(reason: Reason, message: string, facts: RefusalFacts = {}): ProvisioningError {
  return new ProvisioningError(reason, message, { disclosed: true, facts })
}

/** Runs `act` and discloses its refusals. Only for a caller that is authenticated or has proven possession. */
export async function disclosing<T>(facts: RefusalFacts, act: () => T | Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw error instanceof ProvisioningError ? error.with({ disclosed: true, facts }) : error
  }
}

/**
 * Wrong options or arguments. `faults` lists all of them, each as `path: expected X, got Y`, without secrets.
 *
 * @example
 * await keys.deleteClient(process.env.DEVICE ?? '').catch((error) => {
 *   if (error instanceof ConfigurationError) console.error(error.faults.join('\n'))
 *   else throw error
 * })
 */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  /** All faults, each as `path: expected X, got Y`, without secrets. */
  declare readonly faults: readonly string[]

  constructor(faults: readonly string[], docsUrl?: string) {
    const list = faults.map((fault) => `\n  - ${fault}`)
    const text = faults.length === 1 ? `${faults[0]}` : `${faults.length} faults:${list.join('')}`
    super(docsUrl === undefined ? text : `${text}\nSee ${docsUrl}#configuration`)
    // Not enumerable: the console prints the message already.
    Object.defineProperty(this, 'faults', { value: Object.freeze([...faults]) })
  }
}
