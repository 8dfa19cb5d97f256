import { DECOYS } from '../../../lib/core/client-authentication/decoy.js'
import { importPublicJwk, PROOF_ALGORITHMS, proofAlgorithmsFor } from '../../../lib/core/jwk.js'

describe('a decoy', () => {
  it.each(PROOF_ALGORITHMS)('of %s is read like the key of a client', (alg) => {
    const key = importPublicJwk(DECOYS[alg])
    if (typeof key === 'string') throw new Error(key)
    expect(proofAlgorithmsFor(key)).toContain(alg)
  })
})
