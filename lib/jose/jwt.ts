import type { KeyObject } from 'node:crypto'
import jsonwebtoken from 'jsonwebtoken'
import { ProvisioningError } from '../base/errors.js'
import type { KeyAlgorithm } from './jwk.js'
import { type Claims, kidOf, parseJws } from './jws.js'
import type { VerificationKeys } from './key-ring.js'

/** What a signature is verified with: one key, one algorithm. */
export interface VerificationKey {
  readonly alg: KeyAlgorithm
  readonly publicKey: KeyObject
  /** For a key that signs no more: the latest `iat` of what it can have signed. */
  readonly lastIssuedAt?: number
}

export interface JwtExpectation {
  /** The exact `typ`, compared without case as media types are (RFC 8725 3.11, RFC 7515 4.1.9). */
  readonly typ: string
  /** The key for a `kid`; `undefined` refuses. The algorithm comes from the key, never from the header (RFC 8725 3.1). */
  readonly keyFor: (kid: string | undefined) => VerificationKey | undefined
}

/** Signs claims as they are; an `iat` must be among them, else the library adds one. */
export function signJwt(
  claims: Claims,
  key: { readonly alg: KeyAlgorithm; readonly kid: string; readonly privateKey: KeyObject },
  typ: string,
): string {
  const header = { alg: key.alg, typ, kid: key.kid }
  return jsonwebtoken.sign(claims, key.privateKey, { algorithm: key.alg, header })
}

/**
 * Has the key at hand that a JWT says it is signed by, where keys have to be fetched; else there is nothing to wait for.
 *
 * @throws ProvisioningError `signing_keys_unavailable`
 */
export function loadKey(keys: VerificationKeys, token: string): Promise<void> | undefined {
  return keys.load?.(kidOf(token))
}

/**
 * Verifies form, header and signature of a JWT; answers with its claims, none of which has been judged.
 *
 * @throws ProvisioningError `key_malformed`, `key_type_wrong`, `key_header_refused`, `signing_key_unknown`,
 *   `key_algorithm_refused`, `signature_wrong`, `claims_malformed`, `signing_key_retired`
 */
export function verifyJwt(token: string, expectation: JwtExpectation): Claims {
  const parsed = parseJws(token)
  if (typeof parsed === 'string') throw new ProvisioningError('key_malformed', parsed)
  const { header, claims } = parsed
  if (typeof header.typ !== 'string' || header.typ.toLowerCase() !== expectation.typ) {
    throw new ProvisioningError('key_type_wrong', `The typ of the JWT is not ${expectation.typ}.`)
  }
  // RFC 7515 4.1.11: an extension that is not understood must be refused; none is understood here.
  if (Object.hasOwn(header, 'crit'))
    throw new ProvisioningError('key_header_refused', 'The JWT has a crit header.')
  if (header.kid !== undefined && typeof header.kid !== 'string') {
    throw new ProvisioningError('signing_key_unknown', 'The kid of the JWT is not a string.')
  }
  const key = expectation.keyFor(header.kid)
  if (key === undefined)
    throw new ProvisioningError('signing_key_unknown', 'No known key has the kid of the JWT.')
  if (header.alg !== key.alg) {
    throw new ProvisioningError('key_algorithm_refused', `The alg of the JWT is not ${key.alg}.`)
  }
  verifySignature(token, key)
  if (claims === undefined)
    throw new ProvisioningError('claims_malformed', 'The payload is not a JSON object.')
  refuseRetired(key, claims)
  return claims
}

/** A retired key signs no more; what says that it was signed later was signed by a thief. */
function refuseRetired({ lastIssuedAt }: VerificationKey, { iat }: Claims): void {
  if (lastIssuedAt === undefined || typeof iat !== 'number' || iat <= lastIssuedAt) return
  const message = `The JWT says it was signed ${iat - lastIssuedAt} s after its signing key had been retired.`
  throw new ProvisioningError('signing_key_retired', message)
}

function verifySignature(token: string, key: VerificationKey): void {
  try {
    // Times are judged by the caller, with its own clock and tolerance.
    const options = { algorithms: [key.alg], ignoreExpiration: true, ignoreNotBefore: true }
    jsonwebtoken.verify(token, key.publicKey, options)
  } catch {
    // Whatever it throws: a signature of a wrong length makes it throw another class than a wrong signature does.
    throw new ProvisioningError('signature_wrong', 'The signature of the JWT does not verify.')
  }
}
