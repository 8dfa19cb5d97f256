import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import jsonwebtoken from 'jsonwebtoken'

/** The holder of a DPoP key, who makes proofs for requests. */
export interface Prover {
  /** A proof for one request, with the hash of the token in this request. */
  prove(method: string, url: string, token?: string, claims?: Record<string, unknown>): string
}

/** A new DPoP key and its proofs (RFC 9449 4.2). */
export function prover(): Prover {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' })
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk } as never
  return {
    prove(htm, htu, token, claims) {
      const ath = token && createHash('sha256').update(token).digest('base64url')
      const jti = randomBytes(12).toString('base64url')
      const all = { jti, htm, htu, iat: Math.floor(Date.now() / 1000), ...(ath && { ath }), ...claims }
      return jsonwebtoken.sign(all, privateKey, { algorithm: 'ES256', header })
    },
  }
}
