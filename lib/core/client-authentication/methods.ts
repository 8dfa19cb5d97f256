/** The methods by which a client proves itself with a shared secret (RFC 6749 2.3.1). */
export const SECRET_METHODS = ['client_secret_basic', 'client_secret_post'] as const

/** The registered names of the ways in which a client may authenticate (RFC 7591 2, RFC 7523). */
export const CLIENT_AUTHENTICATION_METHODS = [...SECRET_METHODS, 'private_key_jwt'] as const
export type ClientAuthenticationMethod = (typeof CLIENT_AUTHENTICATION_METHODS)[number]
