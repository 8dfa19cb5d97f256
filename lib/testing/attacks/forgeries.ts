import { type DecodedToken, decodeToken, encodePart, makeToken, newPair } from '../forged-token.js'

/** The same token with another signature: one bit is different, or another key has signed it. */
export function signedByOthers(token: string): readonly string[] {
  const { header, claims, parts } = partsOf(token)
  const bytes = Buffer.from(parts[2], 'base64url')
  bytes[0] = (bytes[0] ?? 0) ^ 1
  const flipped = `${parts[0]}.${parts[1]}.${bytes.toString('base64url')}`
  return [flipped, makeToken({ header: { ...header, alg: 'ES256' }, claims }, newPair().sign)]
}

/** A token that brings the key with which it is signed (RFC 8725 2.1, RFC 7515 4.1.3). */
export function withOwnKey(token: string): string {
  const { header, claims } = partsOf(token)
  const { jwk, sign } = newPair()
  return makeToken({ header: { ...header, alg: 'ES256', jwk }, claims }, sign)
}

/** The genuine signature under other claims. */
export function withOtherClaims(token: string): string {
  const { header, claims, parts } = partsOf(token)
  const changed = {
    ...claims,
    sub: 'attacker',
    scope: `${claims['scope']} admin`,
    exp: Number(claims['exp']) + 600,
  }
  return `${encodePart(header)}.${encodePart(changed)}.${parts[2]}`
}

export function partsOf(token: string): DecodedToken {
  const decoded = decodeToken(token)
  if (decoded === undefined) throw new SyntaxError('The token is no JWT.')
  return decoded
}
