/** What the protocol needs to know of an HTTP request. Made by `http/wire.ts`; the core sees nothing else of HTTP. */
export interface PresentedRequest {
  /** Every `Authorization` header field, in order. More than one is refused. */
  readonly authorization: readonly string[]
  /** The names of all query parameters. */
  readonly queryNames: ReadonlySet<string>
  /** Whether a body that was parsed before us carries an `access_token` (RFC 6750 2.2). */
  readonly tokenInBody: boolean
  readonly method: string
  /** Every `DPoP` header field, in order. More than one is refused (RFC 9449 4.3). */
  readonly dpop: readonly string[]
  /** The client certificate of the connection, where there is one (RFC 8705). */
  readonly certificate: PresentedCertificate | undefined
  /** What is wrong with the header in which a proxy passed the certificate on, where something is (RFC 9440). */
  readonly certificateFault?: string | undefined
  /** The IP address of the caller, as Express computes it from `trust proxy`, in its normal form. Missing if it is none. */
  readonly address: string | undefined
}

/** What is presented as Bearer or DPoP: the key that is redeemed, or the access token that came of it. */
export type Credential = 'provisioning key' | 'access token'

/** A client certificate as the TLS connection, or a proxy that terminated it, gave it to us. */
export interface PresentedCertificate {
  readonly der: Uint8Array
  /** SHA-256 over `der`, base64url (RFC 8705 3.1). */
  readonly thumbprint: string
  /** Whether the TLS layer found it to chain up to an authority that is trusted. */
  readonly trusted: boolean
}

/** The parameters of an `application/x-www-form-urlencoded` body, each at most once and never empty (RFC 6749 3.2). */
export type Parameters = ReadonlyMap<string, string>

/** The parameters whose values are secrets: never accepted in a query, never left where they could be logged. */
export const SECRET_PARAMETERS = [
  'access_token',
  'subject_token',
  'token',
  'client_secret',
  'client_assertion',
] as const
