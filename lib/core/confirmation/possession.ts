import type { Confirmation } from '../../stores/store.js'
import { ProvisioningError, type RefusalFacts } from '../errors.js'
import type { Policy } from '../policy.js'
import type { PresentedRequest } from '../request.js'
import { certificateThumbprint } from './certificate.js'
import type { DpopProof } from './dpop.js'

/** What the one who presents a key has proven to hold. */
export interface Possession {
  /** How the key was presented; in a body where it is the subject of a token exchange. */
  readonly scheme: 'Bearer' | 'DPoP' | 'body'
  readonly proof: DpopProof | undefined
  readonly presented: PresentedRequest
}

/**
 * Refuses a key whose presenter does not hold what it is bound to. `cnf` present means enforced: a member that is not
 * understood refuses as well (RFC 7800 3.1).
 */
export function confirm(cnf: unknown, { scheme, proof, presented }: Possession, facts: RefusalFacts): void {
  const unproven = (message: string) => new ProvisioningError('possession_unproven', message, { facts })
  if (cnf === undefined) {
    if (scheme !== 'DPoP') return
    throw new ProvisioningError('key_unbound', 'The key is bound to no DPoP key; present it as Bearer.', { facts })
  }
  if (!isConfirmation(cnf)) throw unproven('The key is bound in a way that is not understood.')
  // RFC 9449 7.1: not as Bearer, whatever proof comes with it.
  if (cnf.jkt !== undefined && scheme === 'Bearer') throw unproven('The key is DPoP-bound and was presented as Bearer.')
  if (cnf.jkt === undefined && scheme === 'DPoP') {
    throw new ProvisioningError('key_unbound', 'The key is bound to no DPoP key; present it as Bearer.', { facts })
  }
  if (cnf.jkt !== undefined && proof?.thumbprint !== cnf.jkt) {
    throw unproven(proof === undefined ? 'The key is DPoP-bound and came without a proof.' : 'The proof is by another key.')
  }
  const expected = cnf['x5t#S256']
  if (expected !== undefined && thumbprintOf(presented) !== expected) {
    throw unproven('The key is bound to a client certificate that was not presented.')
  }
}

function isConfirmation(cnf: unknown): cnf is Confirmation {
  if (typeof cnf !== 'object' || cnf === null) return false
  const entries = Object.entries(cnf)
  const known = entries.every(([name, value]) => ['jkt', 'x5t#S256'].includes(name) && typeof value === 'string')
  return known && entries.length > 0
}

function thumbprintOf({ certificate }: PresentedRequest): string | undefined {
  return certificate && certificateThumbprint(certificate.certificate)
}

/**
 * What a key or token is to be bound to: to the DPoP key whenever there is a proof, to the certificate where policy
 * or the way the client authenticated wants it.
 *
 * @throws ProvisioningError `dpop_missing`, `certificate_missing` where policy requires what was not presented
 */
export function constrain(
  { senderConstraint }: Pick<Policy, 'senderConstraint'>,
  proof: DpopProof | undefined,
  presented: PresentedRequest,
  byCertificate = false,
): Confirmation | undefined {
  if (senderConstraint === 'dpop' && proof === undefined) {
    throw new ProvisioningError('dpop_missing', 'The client must ask with a DPoP proof.', { disclosed: true })
  }
  const thumbprint = byCertificate || senderConstraint === 'mtls' ? thumbprintOf(presented) : undefined
  if (senderConstraint === 'mtls' && thumbprint === undefined) {
    throw new ProvisioningError('certificate_missing', 'The client must ask with a client certificate.', { disclosed: true })
  }
  if (proof === undefined && thumbprint === undefined) return undefined
  return { ...(proof && { jkt: proof.thumbprint }), ...(thumbprint && { 'x5t#S256': thumbprint }) }
}

/** The `token_type` of what is bound like that (RFC 9449 5). */
export function tokenType(confirmation: Confirmation | undefined): 'Bearer' | 'DPoP' {
  return confirmation?.jkt === undefined ? 'Bearer' : 'DPoP'
}
