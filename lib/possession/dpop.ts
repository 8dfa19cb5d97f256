import { createHash, createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import { ProvisioningError, type Reason } from '../base/errors.js'
import type { PresentedRequest } from '../base/request.js'
import {
  importPublicJwk,
  jwkThumbprint,
  PROOF_ALGORITHMS,
  type PublicJwk,
  publicJwkFault,
} from '../jose/jwk.js'
import { verifiesWith } from '../jose/jws.js'
import {
  anything,
  parseSignedToken,
  requireInTime,
  type TokenFault,
  type TokenKind,
  text,
  typedClaims,
} from '../jose/signed-token.js'
import { clockOf, type DpopRules, type Nonces, type VerificationRules } from '../ports/deployment.js'
import type { IdentifierOwner } from '../ports/store.js'
import { type SingleUse, useOnce } from './once.js'
import { hasDotSegments, normalizeTarget, type Target } from './target.js'

/** A valid DPoP proof for its request. The caller decides when it is used. */
export interface DpopProof {
  /** The thumbprint of the proof key (RFC 9449 6.1). */
  readonly thumbprint: string
  readonly publicKey: KeyObject
  /**
   * Marks the proof as used, and counts it for its owner.
   *
   * @throws ProvisioningError `dpop_replayed` when it was used before; `too_many_proofs`, `store_full`,
   *   `store_unavailable`
   */
  spend(owner: IdentifierOwner): Promise<void>
}

/** What a DPoP proof must fit. */
export interface ProofExpectation {
  readonly target: Target
  /** The key or access token that the proof came with, if there is one. */
  readonly token?: string
  /** Whether the proof must have the hash of this token. Without it, a hash is checked only if there is one. */
  readonly hashRequired?: boolean
}

const LONGEST_JTI = 256

/**
 * Reads the DPoP proof of a request (RFC 9449 4.3). Returns `undefined` if the request has none.
 *
 * @throws ProvisioningError one of the `dpop_` reasons
 */
export function readProof(
  deployment: VerificationRules,
  presented: PresentedRequest,
  { target, token, hashRequired = false }: ProofExpectation,
): DpopProof | undefined {
  const open = openProof(deployment, presented)
  if (open === undefined) return undefined
  const { claims, publicKey, thumbprint } = open
  requireMethod(claims, target)
  const url = requireUrl(claims, target)
  requireFresh(deployment, claims)
  if (token !== undefined && (hashRequired || claims.ath !== undefined)) requireTokenHash(claims, token)
  requireNonce(deployment, claims)
  const { jti, iat } = claims
  const { uses } = deployment.dpop
  const spendOnce = (owner: IdentifierOwner) => {
    const use = uses.get(presented) ?? spend(deployment, { parts: [thumbprint, url, jti], iat, owner })
    uses.set(presented, use)
    return use
  }
  return { thumbprint, publicKey, spend: spendOnce }
}

/** A proof whose form and signature are valid. It is not checked yet whether it fits its request. */
export interface OpenProof {
  readonly claims: ProofClaims
  readonly publicKey: KeyObject
  readonly thumbprint: string
}

/** The first part of `readProof`. Without the second part, the proof proves nothing. */
export function openProof(
  deployment: VerificationRules,
  { dpop: [proof, ...others] }: Pick<PresentedRequest, 'dpop'>,
): OpenProof | undefined {
  if (proof === undefined) return undefined
  if (others.length > 0) throw refused('dpop_repeated', 'The request has more than one DPoP header.')
  return verifyProof(proof, dpopKind(deployment), deployment.dpop.proofKeys)
}

function refused(reason: Reason, message: string): ProvisioningError {
  return new ProvisioningError(reason, message, { disclosed: true })
}

/** The claims of a DPoP proof (RFC 9449 4.2). */
export interface ProofClaims {
  readonly jti: string
  readonly htm: string
  readonly htu: string
  readonly iat: number
  readonly ath?: unknown
  readonly nonce?: unknown
}

const REASONS: Record<TokenFault, Reason> = {
  form: 'dpop_malformed',
  type: 'dpop_type_wrong',
  extension: 'dpop_malformed',
  algorithm: 'dpop_algorithm_refused',
  signer: 'dpop_key_refused',
  signature: 'dpop_signature_wrong',
  retired: 'dpop_key_refused',
  payload: 'dpop_malformed',
  claims: 'dpop_claims_malformed',
  expired: 'dpop_stale',
  early: 'dpop_stale',
  lifetime: 'dpop_stale',
}

/** The DPoP proof, as a kind of token (RFC 9449 4.2 and 4.3, 2 to 5 and 11). */
function dpopKind({ dpop }: VerificationRules): TokenKind<ProofClaims> {
  return {
    noun: 'The DPoP proof',
    types: ['dpop+jwt'],
    algorithms: PROOF_ALGORITHMS,
    claims: {
      jti: (jti) => text(jti) && String(jti).length <= LONGEST_JTI,
      // They may be empty: then they do not fit the request, which has its own reason.
      htm: (htm) => typeof htm === 'string',
      htu: (htu) => typeof htu === 'string',
      iat: Number.isFinite,
      ath: { optional: anything },
      nonce: { optional: anything },
    },
    // One more second into the future, because our own time is rounded down to whole seconds.
    times: { maxAgeSeconds: dpop.proofAgeSeconds, futureSeconds: 1 },
    refuse: (fault, message) => refused(REASONS[fault], message),
  }
}

/** RFC 9449 4.3, 6 and 7: the proof is signed by the key in its own header. */
function verifyProof(proof: string, kind: TokenKind<ProofClaims>, known: DpopRules['proofKeys']) {
  const token = parseSignedToken(proof, kind)
  const { jwk } = token.header
  const fault = publicJwkFault(jwk)
  // Only a JWK in its canonical form is remembered, so no other text has its thumbprint.
  const thumbprint = fault === undefined ? jwkThumbprint(jwk as PublicJwk) : ''
  const publicKey = fault ?? known.get(thumbprint) ?? importPublicJwk(jwk)
  if (typeof publicKey === 'string')
    throw kind.refuse('signer', `The jwk of the DPoP proof is refused: ${publicKey}.`)
  if (!verifiesWith(token, publicKey))
    throw kind.refuse('signature', 'The DPoP proof is not signed by the key in its jwk.')
  known.add(thumbprint, publicKey)
  return { claims: typedClaims(token, kind), publicKey, thumbprint }
}

/** RFC 9449 4.3, 8. */
export function requireMethod({ htm }: ProofClaims, target: Target): void {
  if (htm !== target.method)
    throw refused('dpop_method_wrong', `The htm of the DPoP proof is not ${target.method}.`)
}

/** RFC 9449 4.3, 9. */
export function requireUrl({ htu }: ProofClaims, target: Target): string {
  const url = normalizeTarget(htu)
  const isFor = (place: string | undefined) =>
    place !== undefined && (htu === place || (url === normalizeTarget(place) && !hasDotSegments(place)))
  if (url !== undefined && (isFor(target.url) || isFor(target.alias))) return url
  const expected = normalizeTarget(target.url) ?? 'a URL'
  throw refused('dpop_target_wrong', `The htu of the DPoP proof is not ${expected}.`)
}

/** RFC 9449 4.3, 11. */
export function requireFresh(deployment: VerificationRules, claims: ProofClaims): void {
  requireInTime(claims, dpopKind(deployment), clockOf(deployment))
}

/** RFC 9449 4.3, 12a. */
export function requireTokenHash({ ath }: ProofClaims, token: string): void {
  if (ath === createHash('sha256').update(token, 'ascii').digest('base64url')) return
  throw refused(
    'dpop_token_hash_wrong',
    'The ath of the DPoP proof is not the hash of the presented key or token.',
  )
}

/** RFC 9449 4.3, 10. */
export function requireNonce({ dpop }: VerificationRules, { nonce }: ProofClaims): void {
  if (dpop.nonces === undefined || (typeof nonce === 'string' && dpop.nonces.accepts(nonce))) return
  throw refused('dpop_nonce_wanted', 'The DPoP proof must carry the nonce of the DPoP-Nonce header.')
}

/** RFC 9449 11.1: a proof is used once per proof key and target. Its hash is remembered while the proof is fresh. */
async function spend(
  deployment: VerificationRules,
  { parts, iat, owner }: Pick<SingleUse, 'parts' | 'owner'> & { readonly iat: number },
): Promise<void> {
  const { proofAgeSeconds } = deployment.dpop
  const until = Math.ceil(iat) + proofAgeSeconds + 2 * deployment.clockToleranceSeconds + 1
  const replayed = () => refused('dpop_replayed', 'The DPoP proof has been used before.')
  await useOnce(deployment, { parts: ['dpop', ...parts], until, owner, replayed })
}

/**
 * Makes nonces without storing them: each is an HMAC of a time step (RFC 9449 8).
 *
 * @param secret at least 256 bits, the same in all processes
 * @param stepSeconds how long clients get the same nonce; it is accepted for one more step
 * @param now in milliseconds
 */
export function nonces(secret: Buffer, stepSeconds: number, now: () => number): Nonces {
  const step = () => Math.floor(now() / 1000 / stepSeconds)
  const nonceOf = (number: number) =>
    createHmac('sha256', secret).update(`dpop-nonce:${number}`).digest('base64url')
  return {
    current: () => nonceOf(step()),
    // Accept the next step too, because the clock of another process may be ahead.
    accepts: (nonce) => [0, -1, 1].some((distance) => equal(nonce, nonceOf(step() + distance))),
  }
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
