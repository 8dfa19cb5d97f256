import {
  createSecretKey,
  generateKeyPair,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { promisify } from 'node:util'
import { ConfigurationError } from '../base/errors.js'
import { describe } from '../base/faults.js'
import type { KeyAlgorithm } from '../jose/jwk.js'
import { SIGNING_ALGORITHMS, type SigningKeyInput } from './signing-keys.js'

const RSA_BITS = 3072

const GENERATORS: Record<KeyAlgorithm, () => KeyObject> = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  RS256: () => generateKeyPairSync('rsa', { modulusLength: RSA_BITS }).privateKey,
  PS256: () => generateKeyPairSync('rsa', { modulusLength: RSA_BITS }).privateKey,
  HS256: () => createSecretKey(randomBytes(32)),
}

/**
 * Makes a signing key for tests and first steps. It exists in memory only: no other process can verify its signatures,
 * and after a restart this process cannot either.
 *
 * @param alg `ES256` (default), `ES384`, `ES512`, `RS256`, `PS256` or `HS256`
 * @throws ConfigurationError for another algorithm
 *
 * @example
 * const signingKeys = generateSigningKeys('ES384')
 */
export function generateSigningKeys(alg: KeyAlgorithm = 'ES256'): readonly [SigningKeyInput] {
  const generate = Object.hasOwn(GENERATORS, alg) ? GENERATORS[alg] : undefined
  if (generate === undefined) {
    throw new ConfigurationError([
      `alg: expected one of ${SIGNING_ALGORITHMS.join(', ')}, got ${describe(alg)}`,
    ])
  }
  return [{ key: generate(), alg }]
}

/** A generated key with its algorithm. */
export interface GeneratedKey {
  readonly key: KeyObject
  readonly alg: KeyAlgorithm
}

/** Makes a signing key without blocking: an RSA key takes long, and requests must not wait for it. */
export async function generateSigningKey(alg: KeyAlgorithm): Promise<GeneratedKey> {
  if (alg !== 'RS256' && alg !== 'PS256') return { key: GENERATORS[alg](), alg }
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: RSA_BITS })
  return { key: privateKey, alg }
}
