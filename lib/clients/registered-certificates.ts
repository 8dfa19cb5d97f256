import type { KeyObject } from 'node:crypto'
import { decodeCanonical } from '../base/canonical-base64.js'
import { certificateKey, certificateThumbprint, readCertificate } from '../certificates/certificate.js'
import { isForVerification, type PublicJwk } from '../jose/jwk.js'
import type { Client } from '../ports/client.js'

/** A certificate in the two forms in which a client can register it. */
export interface NamedCertificate {
  /** The DER in base64, as in `x5c`. */
  readonly base64: string
  /** The thumbprint, as in `x5t#S256`. */
  readonly thumbprint: string
}

/**
 * Whether a client has registered or bound a certificate (RFC 8705 2.2.2). If the method came with a binding, only
 * bindings count.
 *
 * It compares texts and neither decodes nor hashes the certificates of the client, so time does not show their number and
 * length.
 */
export function isRegistered({ base64, thumbprint }: NamedCertificate, client: Client | undefined): boolean {
  const isBoundOnly = client?.boundMethods?.includes('self_signed_tls_client_auth') === true
  const keys = isBoundOnly ? [] : (client?.metadata?.jwks?.keys ?? [])
  const registered = keys.filter(isForVerification)
  const bound = client?.bindings ?? []
  return (
    registered.some((jwk) => firstOf(jwk) === base64 || jwk['x5t#S256'] === thumbprint) ||
    bound.some(({ confirmation }) => confirmation?.['x5t#S256'] === thumbprint)
  )
}

/** The certificate of the key itself, in base64. The others in `x5c` vouch for it. */
function firstOf({ x5c }: PublicJwk): unknown {
  return Array.isArray(x5c) ? x5c[0] : undefined
}

/** Decodes `x5c` (RFC 7517 4.7): base64, not base64url. Returns `undefined` if it is malformed. */
function certificatesOf({ x5c }: PublicJwk): readonly Buffer[] | undefined {
  if (!Array.isArray(x5c) || x5c.length === 0 || x5c.length > LONGEST_CHAIN) return undefined
  const chain = x5c.flatMap((text) => (typeof text === 'string' && decodeCanonical(text, 'base64')) || [])
  return chain.length === x5c.length && chain.every(({ length }) => length > 0) ? chain : undefined
}

const LONGEST_CHAIN = 8

/**
 * Checks the certificate of a JWK. The first of `x5c` must certify that key (RFC 7517 4.7). `x5t#S256` must be the
 * thumbprint of the certificate (RFC 7517 4.9).
 *
 * @param key the key of the JWK
 * @returns the fault in words, or `undefined`
 */
export function jwkCertificateFault(jwk: PublicJwk, key: KeyObject): string | undefined {
  const { x5c, 'x5t#S256': named } = jwk
  if (named !== undefined && !(typeof named === 'string' && /^[\w-]{43}$/.test(named)))
    return 'its x5t#S256 is not a SHA-256 hash in base64url'
  if (x5c === undefined) return undefined
  const [der] = certificatesOf(jwk) ?? []
  const read = der === undefined ? undefined : readCertificate(der)
  if (der === undefined || read === undefined) return 'its x5c is not a list of certificates in base64'
  const certified = certificateKey(read)
  if (certified === undefined || !certified.equals(key)) return 'its x5c certifies another key'
  return named === undefined || named === certificateThumbprint(der)
    ? undefined
    : 'its x5t#S256 is not the thumbprint of its x5c'
}

/** The members of a JWK to store for its certificate. Of `x5c` that is the first one, because nothing reads the others. */
export function certificateLabels({ x5c, 'x5t#S256': named }: PublicJwk): PublicJwk {
  return {
    ...(Array.isArray(x5c) && { x5c: x5c.slice(0, 1) }),
    ...(named !== undefined && { 'x5t#S256': named }),
  }
}

/** Whether a client can authenticate with the certificate of a JWK. `jwkCertificateFault` checks the certificate. */
export function namesCertificate(jwk: PublicJwk): boolean {
  return isForVerification(jwk) && typeof (firstOf(jwk) ?? jwk['x5t#S256']) === 'string'
}
