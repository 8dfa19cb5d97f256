import { createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { type KeyAlgorithm, thumbprint } from '../../lib/jose/jwk.js'

/** A key of one algorithm, in the form that `signJwt` and `verifyJwt` require. */
export interface SigningPair {
  readonly alg: KeyAlgorithm
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

function pair(alg: KeyAlgorithm, halves: { privateKey: KeyObject; publicKey: KeyObject }): SigningPair {
  return { alg, kid: thumbprint(halves.publicKey), ...halves }
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const secret = createSecretKey(randomBytes(32))

/** One key for each algorithm. RS256 and PS256 share a key, so that tests can exchange them. */
export const PAIRS: Record<KeyAlgorithm, SigningPair> = {
  ES256: pair('ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })),
  ES384: pair('ES384', generateKeyPairSync('ec', { namedCurve: 'P-384' })),
  ES512: pair('ES512', generateKeyPairSync('ec', { namedCurve: 'P-521' })),
  RS256: pair('RS256', rsa),
  PS256: pair('PS256', rsa),
  HS256: pair('HS256', { privateKey: secret, publicKey: secret }),
}
