import type { Confirmation } from '../../stores/store.js'
import { ProvisioningError, type RefusalFacts } from '../errors.js'
import type { Policy } from '../policy.js'
import type { DpopProof } from './dpop.js'

/** What the one who presents a key has proven to hold. */
export interface Possession {
  /** How the key was presented; in a body where it is the subject of a token exchange. */
  readonly scheme: 'Bearer' | 'DPoP' | 'body'
  readonly proof: DpopProof | undefined
}

/**
 * Refuses a key whose presenter does not hold what it is bound to. `cnf` present means enforced: one that is not
 * understood refuses as well (RFC 7800 3.1).
 */
export function confirm(cnf: unknown, { scheme, proof }: Possession, facts: RefusalFacts): void {
  if (cnf === undefined) {
    if (scheme !== 'DPoP') return
    throw new ProvisioningError('key_unbound', 'The key is bound to no DPoP key; present it as Bearer.', {
      facts,
    })
  }
  const fault = possessionFault(cnf, scheme, proof)
  if (fault !== undefined) throw new ProvisioningError('possession_unproven', fault, { facts })
}

function possessionFault(
  cnf: unknown,
  scheme: Possession['scheme'],
  proof: DpopProof | undefined,
): string | undefined {
  if (!isConfirmation(cnf)) return 'The key is bound in a way that is not understood.'
  // RFC 9449 7.1: not as Bearer, whatever proof comes with it.
  if (scheme === 'Bearer') return 'The key is DPoP-bound and was presented as Bearer.'
  if (proof === undefined) return 'The key is DPoP-bound and came without a proof.'
  return proof.thumbprint === cnf.jkt
    ? undefined
    : 'The DPoP proof is not by the key that the key is bound to.'
}

function isConfirmation(cnf: unknown): cnf is Confirmation {
  if (typeof cnf !== 'object' || cnf === null) return false
  const [member, ...others] = Object.entries(cnf)
  return others.length === 0 && member?.[0] === 'jkt' && typeof member[1] === 'string'
}

/**
 * What a key or token is to be bound to: the key of the proof it is asked for with.
 *
 * @throws ProvisioningError `dpop_missing` where policy requires a proof and there is none
 */
export function constrain(
  { senderConstraint }: Pick<Policy, 'senderConstraint'>,
  proof: DpopProof | undefined,
): Confirmation | undefined {
  if (proof !== undefined) return { jkt: proof.thumbprint }
  if (senderConstraint === 'bearer') return undefined
  throw new ProvisioningError('dpop_missing', 'The client must ask with a DPoP proof.', { disclosed: true })
}

/** The `token_type` of what is bound like that (RFC 9449 5). */
export function tokenType(confirmation: Confirmation | undefined): 'Bearer' | 'DPoP' {
  return confirmation === undefined ? 'Bearer' : 'DPoP'
}
