import { createHash, randomUUID, sign } from 'node:crypto'

/** Creates a DPoP proof (RFC 9449 4.2); `alg` is ES256, RS256 or Ed25519. */
export function dpopProof({ publicKey, privateKey }, alg, { method, url, token }) {
  const ath = token && createHash('sha256').update(token).digest('base64url')
  const header = { typ: 'dpop+jwt', alg, jwk: publicKey.export({ format: 'jwk' }) }
  const claims = { jti: randomUUID(), htm: method, htu: url, iat: Math.floor(Date.now() / 1000), ath }
  const input = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const hash = alg === 'Ed25519' ? null : 'sha256'
  const signature = sign(hash, Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}
