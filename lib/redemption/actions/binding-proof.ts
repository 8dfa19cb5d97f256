import type { KeyObject } from 'node:crypto'
import { malformed, type ProvisioningError } from '../../base/errors.js'
import type { PresentedCertificate } from '../../base/request.js'
import { isInTime, readCertificate } from '../../certificates/certificate.js'
import type { ProvenKey } from '../../clients/bound-keys.js'
import { importPublicJwk, publicJwk, thumbprint } from '../../jose/jwk.js'
import { type Claims, parseJws, verifiesWith } from '../../jose/jws.js'
import { type Deployment, numericDate } from '../../ports/deployment.js'
import type { Verified } from '../verification.js'

/** The `typ` of the JWT that proves possession of the key to be bound (RFC 8725 3.11). */
const PROOF_TYPE = 'provisioning-binding+jwt'

/** How old a proof may be, in seconds; it names the provisioning key, which is short-lived and single-use itself. */
const PROOF_AGE_SECONDS = 300

const WHAT_TO_SEND =
  'Send a DPoP proof, whose key is bound; or jwk, the public key to be bound, and proof; or a client certificate.'

/** A request to bind a key, as it came. */
export interface BindingRequest {
  readonly body: Claims
  /** The address that it was sent to, which a proof in its body must be for. */
  readonly endpoint: string
  /** The client certificate of its connection. */
  readonly certificate?: PresentedCertificate | undefined
  readonly address?: string | undefined
}

/**
 * The key that a request wants to bind, its possession proven: the one that the body names, else that of the DPoP
 * proof, else the client certificate of the connection.
 *
 * @throws ProvisioningError `parameter_missing`, `binding_key_refused`, `binding_proof_wrong`
 */
export function provenKey(
  deployment: Deployment,
  { key, proof }: Verified,
  { body, endpoint, certificate }: BindingRequest,
): ProvenKey {
  if (body.jwk !== undefined) {
    const publicKey = readKey(body.jwk)
    verifyProof(deployment, body.proof, publicKey, { endpoint, jti: key.jti })
    return provenBy(publicKey)
  }
  // Who proves the possession of a key in the body does not mean another one.
  if (body.proof !== undefined) throw malformed('parameter_missing', 'jwk is missing: the key of the proof.')
  if (proof !== undefined) return provenBy(proof.publicKey)
  if (certificate !== undefined) return provenByConnection(deployment, certificate)
  throw malformed('parameter_missing', WHAT_TO_SEND)
}

function provenBy(publicKey: KeyObject): ProvenKey {
  return { confirmation: { jkt: thumbprint(publicKey) }, jwk: publicJwk(publicKey) }
}

/** TLS has proven the possession (RFC 8705 2.2). One that could authenticate nobody is not worth a key. */
function provenByConnection(
  deployment: Deployment,
  { der, thumbprint: fingerprint }: PresentedCertificate,
): ProvenKey {
  const read = readCertificate(der)
  if (read === undefined) throw malformed('binding_key_refused', 'The client certificate cannot be read.')
  if (!isInTime(read, numericDate(deployment), deployment.clockToleranceSeconds))
    throw malformed('binding_key_refused', 'The client certificate has expired, or is not valid yet.')
  return { confirmation: { 'x5t#S256': fingerprint } }
}

function readKey(jwk: unknown): KeyObject {
  const key = importPublicJwk(jwk)
  if (typeof key === 'string') throw malformed('binding_key_refused', `jwk is refused: ${key}.`)
  return key
}

/** The proof is made for this endpoint and this provisioning key, by the holder of the key that is to be bound. */
function verifyProof(
  deployment: Deployment,
  proof: unknown,
  publicKey: KeyObject,
  expected: { readonly endpoint: string; readonly jti: string },
): void {
  if (typeof proof !== 'string')
    throw malformed('parameter_missing', 'proof is missing: a JWT signed by the jwk.')
  const claims = verifyProofSignature(proof, publicKey)
  const age = numericDate(deployment) - (Number.isSafeInteger(claims.iat) ? Number(claims.iat) : Number.NaN)
  if (claims.aud !== expected.endpoint) throw proofRefused(`its aud is not ${expected.endpoint}`)
  if (claims.key_id !== expected.jti) throw proofRefused('its key_id is not the jti of the provisioning key')
  if (!(age <= PROOF_AGE_SECONDS && age >= -deployment.clockToleranceSeconds)) {
    throw proofRefused(`its iat is not within the last ${PROOF_AGE_SECONDS} s`)
  }
}

function verifyProofSignature(proof: string, publicKey: KeyObject): Claims {
  const jws = parseJws(proof)
  if (typeof jws === 'string' || jws.claims === undefined) throw proofRefused('it is not a JWT')
  const { typ } = jws.header
  if (typeof typ !== 'string' || typ.toLowerCase() !== PROOF_TYPE)
    throw proofRefused(`its typ is not ${PROOF_TYPE}`)
  if (Object.hasOwn(jws.header, 'crit')) throw proofRefused('it has a crit header')
  if (!verifiesWith(jws, publicKey)) throw proofRefused('it is not signed by the jwk')
  return jws.claims
}

function proofRefused(fault: string): ProvisioningError {
  return malformed('binding_proof_wrong', `The proof is refused: ${fault}.`)
}
