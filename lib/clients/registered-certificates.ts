import type { KeyObject } from 'node:crypto'
import { certificateKey, certificateThumbprint, readCertificate } from '../certificates/certificate.js'
import type { PublicJwk } from '../jose/jwk.js'
import type { Client } from '../ports/client.js'

/** A certificate in the two forms in which a client registers its own. */
export interface NamedCertificate {
  /** Base64 of the DER, as in `x5c`. */
  readonly base64: string
  /** As in `x5t#S256`. */
  readonly thumbprint: string
}

/**
 * Whether a client has registered or bound a certificate (RFC 8705 2.2.2). If a client has the method by its bindings
 * alone, only these count.
 *
 * The certificates of the client are compared as they are written. None is decoded or hashed, so their number and length
 * do not show in the time.
 */
export function isRegistered({ base64, thumbprint }: NamedCertificate, client: Client | undefined): boolean {
  const isBoundOnly = client?.boundMethods?.includes('self_signed_tls_client_auth') === true
  const keys = isBoundOnly ? [] : (client?.metadata?.jwks?.keys ?? [])
  const registered = keys.filter(({ use }) => (use ?? 'sig') === 'sig')
  const bound = client?.bindings ?? []
  return (
    registered.some((jwk) => firstOf(jwk) === base64 || jwk['x5t#S256'] === thumbprint) ||
    bound.some(({ confirmation }) => confirmation?.['x5t#S256'] === thumbprint)
  )
}

/** The certificate of the key itself, as it is written. */
function firstOf({ x5c }: PublicJwk): unknown {
  return Array.isArray(x5c) ? x5c[0] : undefined
}

/** The certificates of `x5c` (RFC 7517 4.7): base64, not base64url, each a text. `undefined` where that is malformed. */
function certificatesOf({ x5c }: PublicJwk): readonly Buffer[] | undefined {
  if (!Array.isArray(x5c) || x5c.length === 0 || x5c.length > LONGEST_CHAIN) return undefined
  const chain = x5c.map((text) => (typeof text === 'string' ? Buffer.from(text, 'base64') : Buffer.alloc(0)))
  return chain.every((der, index) => der.length > 0 && der.toString('base64') === x5c[index])
    ? chain
    : undefined
}

const LONGEST_CHAIN = 8

/**
 * What is wrong with the certificate of a JWK, in words: the first of `x5c` must be for that very key (RFC 7517 4.7),
 * and `x5t#S256` be its thumbprint (4.9).
 *
 * @param key the key of the JWK
 */
export function jwkCertificateFault(jwk: PublicJwk, key: KeyObject): string | undefined {
  const { x5c, 'x5t#S256': named } = jwk
  if (named !== undefined && !(typeof named === 'string' && /^[\w-]{43}$/.test(named)))
    return 'its x5t#S256 is not the base64url of 32 octets'
  if (x5c === undefined) return undefined
  const [der] = certificatesOf(jwk) ?? []
  const read = der === undefined ? undefined : readCertificate(der)
  if (der === undefined || read === undefined) return 'its x5c is not a list of certificates in base64'
  const certified = certificateKey(read)
  if (certified === undefined || !certified.equals(key)) return 'its x5c is not for that key'
  return named === undefined || named === certificateThumbprint(der)
    ? undefined
    : 'its x5t#S256 is not of its x5c'
}

/** What of a JWK names its certificate, to be kept with it: the certificate itself, without those that vouch for it. */
export function certificateLabels({ x5c, 'x5t#S256': named }: PublicJwk): PublicJwk {
  return {
    ...(Array.isArray(x5c) && { x5c: x5c.slice(0, 1) }),
    ...(named !== undefined && { 'x5t#S256': named }),
  }
}

/** Whether a JWK names a certificate, by its form. `jwkCertificateFault` judges the certificate. */
export function namesCertificate(jwk: PublicJwk): boolean {
  return typeof (firstOf(jwk) ?? jwk['x5t#S256']) === 'string'
}
