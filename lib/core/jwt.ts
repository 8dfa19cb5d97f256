import type { KeyObject } from 'node:crypto'
import jsonwebtoken from 'jsonwebtoken'
import { ProvisioningError } from './errors.js'
import type { KeyAlgorithm } from './jwk.js'

/** Longer texts are refused before they are parsed. */
const MAXIMUM_LENGTH = 8192

/** The claims of a JWT whose signature held. Their types are still to be looked at. */
export type Claims = Readonly<Record<string, unknown>>

/** What a signature is verified with: one key, one algorithm. */
export interface VerificationKey {
  readonly alg: KeyAlgorithm
  readonly publicKey: KeyObject
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
 * Verifies form, header and signature of a JWT; answers with its claims, none of which has been judged.
 *
 * @throws ProvisioningError `key_malformed`, `key_type_wrong`, `key_header_refused`, `signing_key_unknown`,
 *   `key_algorithm_refused`, `signature_wrong`, `claims_malformed`
 */
export function verifyJwt(token: string, expectation: JwtExpectation): Claims {
  const { header, payload } = parseCompact(token)
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
  const claims = parseObject(payload)
  if (claims === undefined)
    throw new ProvisioningError('claims_malformed', 'The payload is not a JSON object.')
  return claims
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

function parseCompact(token: string): { header: Claims; payload: string } {
  const parts = token.length <= MAXIMUM_LENGTH ? token.split('.', 4) : []
  const [header, payload, signature] = parts.map(decodeCanonical)
  if (parts.length !== 3 || header === undefined || payload === undefined || !signature) {
    throw new ProvisioningError('key_malformed', 'The token is not a JWS in compact serialization.')
  }
  const members = parseObject(header)
  if (members === undefined)
    throw new ProvisioningError('key_malformed', 'The JWS header is not a JSON object.')
  return { header: members, payload }
}

/** base64url with no padding and no spare bits set, so that one JWT has one spelling (RFC 4648 3.5). */
function decodeCanonical(part: string): string | undefined {
  const bytes = Buffer.from(part, 'base64url')
  return bytes.toString('base64url') === part ? bytes.toString('utf8') : undefined
}

function parseObject(json: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Claims)
      : undefined
  } catch {
    return undefined
  }
}
