import { base64url, type Signer, sha256, signJwt, thumbprintOf } from './signer.js'

const ASSERTION_LIFETIME_SECONDS = 60

/** The request that a DPoP proof is for. */
export interface ProvenRequest {
  readonly method: string
  readonly url: string
  /** The NumericDate of the request. */
  readonly now: number
  /** The token in the header `Authorization` of the request. */
  readonly token?: string | undefined
  readonly nonce?: string | undefined
}

/** Makes a DPoP proof for one request (RFC 9449 4.2). */
export async function dpopProof(
  signer: Signer,
  { method, url, now, token, nonce }: ProvenRequest,
): Promise<string> {
  const { origin, pathname } = new URL(url)
  const claims = {
    jti: crypto.randomUUID(),
    htm: method,
    htu: origin + pathname,
    iat: now,
    ...(token !== undefined && { ath: base64url(await sha256(token)) }),
    ...(nonce !== undefined && { nonce }),
  }
  return signJwt(signer, { typ: 'dpop+jwt', jwk: signer.publicJwk }, claims)
}

/**
 * Makes a client assertion for one request (RFC 7523 3). RFC 10070, which replaces the rules for the audience of RFC 7523,
 * wants the issuer as the only audience, and the type `client-authentication+jwt`.
 */
export async function clientAssertion(
  signer: Signer,
  { clientId, issuer, now }: { readonly clientId: string; readonly issuer: string; readonly now: number },
): Promise<string> {
  const header = { typ: 'client-authentication+jwt', kid: await thumbprintOf(signer) }
  const claims = { iss: clientId, sub: clientId, aud: issuer, jti: crypto.randomUUID(), iat: now }
  return signJwt(signer, header, { ...claims, exp: now + ASSERTION_LIFETIME_SECONDS })
}
