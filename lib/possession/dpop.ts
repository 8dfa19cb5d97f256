import { createHash, type KeyObject } from 'node:crypto'
import { ProvisioningError, type Reason } from '../base/errors.js'
import type { PresentedRequest } from '../base/request.js'
import { importPublicJwk, PROOF_ALGORITHMS, thumbprint } from '../jose/jwk.js'
import { type Claims, parseJws, verifiesWith } from '../jose/jws.js'
import { numericDate, type VerificationRules } from '../ports/deployment.js'
import type { IdentifierOwner } from '../ports/store.js'
import { type SingleUse, useOnce } from './once.js'
import { normalizeTarget, type Target } from './target.js'

/** A DPoP proof that holds for its request. It is spent when everything else about the request holds too. */
export interface DpopProof {
  /** The thumbprint of the proof key (RFC 9449 6.1). */
  readonly thumbprint: string
  readonly publicKey: KeyObject
  /**
   * Marks the proof as used; it counts for the client, and the key, that it came with.
   *
   * @throws ProvisioningError `dpop_replayed` when it was used; `too_many_proofs`, `store_full`, `store_unavailable`
   */
  spend(owner: IdentifierOwner): Promise<void>
}

/** How proofs are judged in a deployment: see `Deployment.dpop`. */
export type ReadProof = (
  presented: PresentedRequest,
  target: Target,
  /** The key it is presented with, and whether the proof must name that: always but at the token endpoint. */
  token?: string,
  hashRequired?: boolean,
) => DpopProof | undefined

const LONGEST_JTI = 256

/**
 * Makes the reader of DPoP proofs (RFC 9449 4.3). It answers `undefined` where a request presents none.
 *
 * @throws ProvisioningError one of the `dpop_` reasons
 */
export function proofReader(deployment: VerificationRules): ReadProof {
  // A request may be verified twice, by two guards in a row; it spends its proof once.
  const spent = new WeakMap<PresentedRequest, Promise<void>>()

  return function readProof(presented, target, token, hashRequired) {
    const [text, ...others] = presented.dpop
    if (text === undefined) return undefined
    if (others.length > 0) throw refused('dpop_repeated', 'The request has more than one DPoP header.')
    const { claims, publicKey } = verifyProof(text)
    const { jti, iat, url } = readClaims(claims, target)
    requireFresh(deployment, claims, iat)
    if (token !== undefined && (hashRequired || claims.ath !== undefined)) requireTokenHash(claims, token)
    requireNonce(deployment, claims)
    const proofKey = thumbprint(publicKey)
    const spendOnce = (owner: IdentifierOwner) => {
      const spending = spent.get(presented) ?? spend(deployment, { parts: [proofKey, url, jti], iat, owner })
      spent.set(presented, spending)
      return spending
    }
    return { thumbprint: proofKey, publicKey, spend: spendOnce }
  }
}

function refused(reason: Reason, message: string): ProvisioningError {
  return new ProvisioningError(reason, message, { disclosed: true })
}

/** RFC 9449 4.3, 2 to 7. */
function verifyProof(text: string): { claims: Claims; publicKey: KeyObject } {
  const jws = parseJws(text)
  if (typeof jws === 'string' || jws.claims === undefined) {
    throw refused('dpop_malformed', 'The DPoP proof is not a JWT.')
  }
  const { typ, alg, jwk } = jws.header
  if (typeof typ !== 'string' || typ.toLowerCase() !== 'dpop+jwt') {
    throw refused('dpop_type_wrong', 'The typ of the DPoP proof is not dpop+jwt.')
  }
  if (!(PROOF_ALGORITHMS as readonly unknown[]).includes(alg)) {
    throw refused(
      'dpop_algorithm_refused',
      `The alg of the DPoP proof is none of ${PROOF_ALGORITHMS.join(', ')}.`,
    )
  }
  if (Object.hasOwn(jws.header, 'crit')) throw refused('dpop_malformed', 'The DPoP proof has a crit header.')
  const publicKey = importPublicJwk(jwk)
  if (typeof publicKey === 'string')
    throw refused('dpop_key_refused', `The jwk of the DPoP proof is refused: ${publicKey}.`)
  if (!verifiesWith(jws, publicKey)) {
    throw refused('dpop_signature_wrong', 'The DPoP proof is not signed by the key in its jwk.')
  }
  return { claims: jws.claims, publicKey }
}

/** RFC 9449 4.3, 8 and 9. */
function readClaims({ jti, htm, htu, iat }: Claims, target: Target) {
  const typed = typeof jti === 'string' && typeof htm === 'string' && typeof htu === 'string'
  if (!typed || jti === '' || jti.length > LONGEST_JTI || typeof iat !== 'number' || !Number.isFinite(iat)) {
    throw refused(
      'dpop_claims_malformed',
      'The DPoP proof lacks one of jti, htm, htu, iat, or it is not of its type.',
    )
  }
  if (htm !== target.method)
    throw refused('dpop_method_wrong', `The htm of the DPoP proof is not ${target.method}.`)
  const url = normalizeTarget(htu)
  const places = [target.url, target.alias ?? target.url].map(normalizeTarget)
  if (url === undefined || !places.includes(url)) {
    const [expected = 'of a URL at all'] = places
    throw refused('dpop_target_wrong', `The htu of the DPoP proof is not ${expected}.`)
  }
  return { jti, iat, url }
}

/** RFC 9449 4.3, 11. One second more into the future than the tolerance: our own time is cut to whole seconds. */
function requireFresh(deployment: VerificationRules, { exp, nbf }: Claims, iat: number): void {
  const now = numericDate(deployment)
  const { proofAgeSeconds } = deployment.dpop
  const tolerance = deployment.clockToleranceSeconds
  const age = now - iat
  if (!(age <= proofAgeSeconds + tolerance && age >= -tolerance - 1)) {
    throw refused(
      'dpop_stale',
      `The iat of the DPoP proof is ${Math.round(age)} s ago; at most ${proofAgeSeconds} s are accepted.`,
    )
  }
  // A proof needs neither; one that has them means them (RFC 7519 4.1.4, 4.1.5).
  const ended = exp !== undefined && !(typeof exp === 'number' && now < exp + tolerance)
  const early = nbf !== undefined && !(typeof nbf === 'number' && now >= nbf - tolerance - 1)
  if (ended || early) throw refused('dpop_stale', 'The exp or nbf of the DPoP proof excludes this moment.')
}

/** RFC 9449 4.3, 12a. */
function requireTokenHash({ ath }: Claims, token: string): void {
  if (ath === createHash('sha256').update(token, 'ascii').digest('base64url')) return
  throw refused(
    'dpop_token_hash_wrong',
    'The ath of the DPoP proof is not the hash of what it is presented with.',
  )
}

/** RFC 9449 4.3, 10. */
function requireNonce({ dpop }: VerificationRules, { nonce }: Claims): void {
  if (dpop.nonces === undefined || (typeof nonce === 'string' && dpop.nonces.accepts(nonce))) return
  throw refused('dpop_nonce_wanted', 'The DPoP proof must carry the nonce of the DPoP-Nonce header.')
}

/** RFC 9449 11.1: once per proof key and target, remembered by a hash for as long as the proof is fresh. */
async function spend(
  deployment: VerificationRules,
  { parts, iat, owner }: Pick<SingleUse, 'parts' | 'owner'> & { readonly iat: number },
): Promise<void> {
  const { proofAgeSeconds } = deployment.dpop
  const until = Math.ceil(iat) + proofAgeSeconds + 2 * deployment.clockToleranceSeconds + 1
  const replayed = () => refused('dpop_replayed', 'The DPoP proof has been used before.')
  await useOnce(deployment, { parts: ['dpop', ...parts], until, owner, replayed })
}
