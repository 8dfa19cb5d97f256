import { randomBytes } from 'node:crypto'
import { decoyFor } from '../../../lib/clients/authentication/decoy.js'
import { importPublicJwk, PROOF_ALGORITHMS, proofAlgorithmsFor, RSA_SIZES } from '../../../lib/jose/jwk.js'

describe('a decoy', () => {
  it.each(PROOF_ALGORITHMS)('of %s is read like the key of a client', (alg) => {
    const { jwk } = decoyFor(alg, randomBytes(64))
    const key = importPublicJwk(jwk)
    if (typeof key === 'string') throw new Error(key)
    expect(proofAlgorithmsFor(key)).toContain(alg)
  })

  it.each(RSA_SIZES)(
    'for an RSA signature of %i bits has that size, and is above every signature',
    (bits) => {
      for (const alg of ['RS256', 'PS256'] as const) {
        const { jwk, key } = decoyFor(alg, randomBytes(bits / 8))
        expect(key.asymmetricKeyDetails).toEqual({ modulusLength: bits, publicExponent: 65537n })
        expect(Buffer.from(jwk.n ?? '', 'base64url').subarray(0, 8)).toEqual(Buffer.alloc(8, 0xff))
      }
    },
  )

  it.each([0, 1, 255, 257, 1024])('for an RSA signature of %i bytes is the smallest', (bytes) => {
    expect(decoyFor('RS256', randomBytes(bytes)).key.asymmetricKeyDetails?.modulusLength).toBe(2048)
  })
})
