/** The methods by which a client proves itself with a shared secret (RFC 6749 2.3.1). */
export const SECRET_METHODS = ['client_secret_basic', 'client_secret_post'] as const

/** The methods by which a client proves itself with the certificate of its connection (RFC 8705 2). */
export const CERTIFICATE_METHODS = ['tls_client_auth', 'self_signed_tls_client_auth'] as const

/** The registered names of the ways in which a client may authenticate (RFC 7591 2, RFC 7523, RFC 8705). */
export const CLIENT_AUTHENTICATION_METHODS = [
  ...SECRET_METHODS,
  'private_key_jwt',
  ...CERTIFICATE_METHODS,
] as const

/**
 * The name of a way in which a client may authenticate.
 *
 * @example
 * const withoutSecret: readonly ClientAuthenticationMethod[] = ['private_key_jwt', 'tls_client_auth']
 */
export type ClientAuthenticationMethod = (typeof CLIENT_AUTHENTICATION_METHODS)[number]

/** The kind of proof, by method. */
export const PROVEN_BY: Record<ClientAuthenticationMethod, 'secret' | 'signature' | 'certificate'> = {
  client_secret_basic: 'secret',
  client_secret_post: 'secret',
  private_key_jwt: 'signature',
  tls_client_auth: 'certificate',
  self_signed_tls_client_auth: 'certificate',
}
