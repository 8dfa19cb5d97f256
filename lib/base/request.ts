/** Where a request comes from, as events say it. */
export interface RequestSource {
  /** The normalized IP address of the caller, from `trust proxy` of Express; `undefined` if that is no IP address. */
  readonly address: string | undefined
  /** The `User-Agent` header field. */
  readonly userAgent?: string | undefined
  /** The `traceparent` header field (W3C Trace Context 3.2). */
  readonly traceparent?: string | undefined
  /** How the client of the request has authenticated. */
  readonly authenticationMethod?: string | undefined
}

/** The parts of an HTTP request that the protocol reads. Only `http/wire.ts` makes it. */
export interface PresentedRequest extends RequestSource {
  /** Every `Authorization` header field, in order. More than one is refused. */
  readonly authorization: readonly string[]
  /** The names of all query parameters. */
  readonly queryNames: readonly string[]
  /** Whether a body that the host has parsed contains an `access_token` (RFC 6750 2.2). */
  readonly tokenInBody: boolean
  readonly method: string
  /** Every `DPoP` header field, in order. More than one is refused (RFC 9449 4.3). */
  readonly dpop: readonly string[]
  /** The client certificate of the connection, if it has one (RFC 8705). */
  readonly certificate: PresentedCertificate | undefined
  /** Why the `Client-Cert` header of a proxy cannot be read (RFC 9440); absent if it is valid. */
  readonly certificateFault?: string | undefined
}

/** The kind of credential that a route expects in `Authorization`, as error messages name it. */
export type Credential = 'provisioning key' | 'access token'

/** A client certificate from the TLS connection, or from a proxy that terminated it. */
export interface PresentedCertificate {
  readonly der: Uint8Array
  /** SHA-256 of `der`, in base64url (RFC 8705 3.1). */
  readonly thumbprint: string
  /** Whether the TLS layer verified that a trusted authority issued it. */
  readonly trusted: boolean
}

/** The parameters of an `application/x-www-form-urlencoded` body: none is repeated or empty (RFC 6749 3.2). */
export type Parameters = ReadonlyMap<string, string>

/** The parameters whose values are secrets. They are refused in a query, and removed where they could be logged. */
export const SECRET_PARAMETERS = [
  'access_token',
  'subject_token',
  'token',
  'client_secret',
  'client_assertion',
  'dpop_proof',
] as const
