import { randomBytes } from 'node:crypto'
import { Decoys } from '../../lib/jose/decoys.js'
import { importPublicJwk, PROOF_ALGORITHMS, proofAlgorithmsFor, RSA_SIZES } from '../../lib/jose/jwk.js'

describe('a decoy', () => {
  it.each(PROOF_ALGORITHMS)('of %s is read like the key of a client', (alg) => {
    const { jwk } = new Decoys().for(alg, randomBytes(64))
    const key = importPublicJwk(jwk)
    if (typeof key === 'string') throw new Error(key)
    expect(proofAlgorithmsFor(key)).toContain(alg)
  })

  it.each(RSA_SIZES)(
    'for an RSA signature of %i bits has that size, and is above every signature',
    (bits) => {
      for (const alg of ['RS256', 'PS256'] as const) {
        const { jwk, key } = new Decoys().for(alg, randomBytes(bits / 8))
        expect(key.asymmetricKeyDetails).toEqual({ modulusLength: bits, publicExponent: 65537n })
        expect(Buffer.from(jwk.n ?? '', 'base64url').subarray(0, 8)).toEqual(Buffer.alloc(8, 0xff))
      }
    },
  )

  it.each([0, 1, 255, 257, 1024])('for an RSA signature of %i bytes is the smallest', (bytes) => {
    expect(new Decoys().for('RS256', randomBytes(bytes)).key.asymmetricKeyDetails?.modulusLength).toBe(2048)
  })

  it('is kept: no signature costs more than the first of its kind', () => {
    const decoys = new Decoys()
    for (const alg of PROOF_ALGORITHMS) {
      const signature = randomBytes(256)
      expect(decoys.for(alg, signature)).toBe(decoys.for(alg, signature))
    }
    expect(decoys.for('RS256', randomBytes(256))).not.toBe(decoys.for('RS256', randomBytes(512)))
  })
})
