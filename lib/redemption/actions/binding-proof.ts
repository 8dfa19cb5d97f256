import type { KeyObject } from 'node:crypto'
import { malformed, type ProvisioningError } from '../../base/errors.js'
import type { PresentedCertificate, RequestSource } from '../../base/request.js'
import { isValidAt, readCertificate } from '../../certificates/certificate.js'
import type { ProvenKey } from '../../clients/bound-keys.js'
import { importPublicJwk, PROOF_ALGORITHMS, publicJwk, thumbprint } from '../../jose/jwk.js'
import { type Claims, verifiesWith } from '../../jose/jws.js'
import {
  requireInTime,
  type TokenKind,
  text,
  verifySignedToken,
  wholeSeconds,
} from '../../jose/signed-token.js'
import { clockOf, type Deployment, numericDate } from '../../ports/deployment.js'
import type { Verified } from '../key-state.js'

const WHAT_TO_SEND =
  'Send a DPoP proof, whose key is bound; or jwk, the public key to be bound, and proof; or a client certificate.'

/** A request to bind a key, not validated. */
export interface BindingRequest {
  readonly body: Claims
  /** The address of the request. A proof in its body must be for this address. */
  readonly endpoint: string
  /** The client certificate of its connection. */
  readonly certificate?: PresentedCertificate | undefined
  readonly source?: RequestSource | undefined
}

/**
 * Finds the key to bind, and proves its possession. The key in the body comes first, then the key of the DPoP proof,
 * then the client certificate of the connection.
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
  // A proof in the body is for a key in the body, never for another one.
  if (body.proof !== undefined) throw malformed('parameter_missing', 'jwk is missing: the key of the proof.')
  if (proof !== undefined) return provenBy(proof.publicKey)
  if (certificate !== undefined) return provenByConnection(deployment, certificate)
  throw malformed('parameter_missing', WHAT_TO_SEND)
}

function provenBy(publicKey: KeyObject): ProvenKey {
  return { confirmation: { jkt: thumbprint(publicKey) }, jwk: publicJwk(publicKey) }
}

/** TLS has proven possession (RFC 8705 2.2). A certificate that cannot authenticate a client is refused. */
function provenByConnection(
  deployment: Deployment,
  { der, thumbprint: fingerprint }: PresentedCertificate,
): ProvenKey {
  const read = readCertificate(der)
  if (read === undefined) throw malformed('binding_key_refused', 'The client certificate cannot be read.')
  if (!isValidAt(read, numericDate(deployment), deployment.clockToleranceSeconds))
    throw malformed('binding_key_refused', 'The client certificate has expired, or is not valid yet.')
  return { confirmation: { 'x5t#S256': fingerprint } }
}

function readKey(jwk: unknown): KeyObject {
  const key = importPublicJwk(jwk)
  if (typeof key === 'string') throw malformed('binding_key_refused', `jwk is refused: ${key}.`)
  return key
}

interface BindingProofClaims {
  readonly aud: string
  readonly key_id: string
  readonly iat: number
}

/** The binding proof, as a kind of token. It names the provisioning key, so it can be used only as long as that key. */
const BINDING_PROOF: TokenKind<BindingProofClaims> = {
  noun: 'The proof',
  types: ['provisioning-binding+jwt'],
  algorithms: PROOF_ALGORITHMS,
  claims: { aud: text, key_id: text, iat: wholeSeconds },
  times: { maxAgeSeconds: 300 },
  refuse: (_, message) => malformed('binding_proof_wrong', message),
}

/** Checks that the proof is for this endpoint and this provisioning key, and that the key to bind has signed it. */
function verifyProof(
  deployment: Deployment,
  proof: unknown,
  publicKey: KeyObject,
  expected: { readonly endpoint: string; readonly jti: string },
): void {
  if (typeof proof !== 'string')
    throw malformed('parameter_missing', 'proof is missing: a JWT signed by the jwk.')
  const claims = verifySignedToken(proof, BINDING_PROOF, (token) =>
    verifiesWith(token, publicKey) ? undefined : ['signature', 'is not signed by the jwk'],
  )
  if (claims.aud !== expected.endpoint) throw proofRefused(`has an aud other than ${expected.endpoint}`)
  if (claims.key_id !== expected.jti)
    throw proofRefused('has a key_id other than the jti of the provisioning key')
  requireInTime(claims, BINDING_PROOF, clockOf(deployment))
}

function proofRefused(predicate: string): ProvisioningError {
  return BINDING_PROOF.refuse('claims', `${BINDING_PROOF.noun} ${predicate}.`)
}
