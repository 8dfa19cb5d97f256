import { ProvisioningError, type RefusalFacts } from '../base/errors.js'
import type { Policy } from '../ports/policy-options.js'
import type { Confirmation } from '../ports/store.js'
import type { DpopProof } from './dpop.js'

/** What the one who presents a key or a token has proven to hold. */
export interface Possession {
  readonly proof: DpopProof | undefined
  /** The thumbprint of the client certificate of the connection (RFC 8705 3.1). */
  readonly certificate: string | undefined
}

/** How a key is presented; in a body where it is the subject of a token exchange. */
export type Scheme = 'Bearer' | 'DPoP' | 'body'

type Presented = Possession & { readonly scheme: Scheme }

/**
 * Refuses a key or token whose presenter does not hold what it is bound to. `cnf` present means enforced, each of its
 * members; one that is not understood refuses as well (RFC 7800 3.1).
 */
export function confirm(cnf: unknown, presented: Presented, facts: RefusalFacts): void {
  const noun = facts.tokenId === undefined ? 'key' : 'access token'
  const isDpopBound = cnf !== undefined && isConfirmation(cnf) && cnf.jkt !== undefined
  if (presented.scheme === 'DPoP' && (cnf === undefined || (isConfirmation(cnf) && !isDpopBound))) {
    const message = `The ${noun} is bound to no DPoP key; present it as Bearer.`
    throw new ProvisioningError('key_unbound', message, { facts })
  }
  if (cnf === undefined) return
  const fault = isConfirmation(cnf)
    ? (proofFault(cnf, presented) ?? certificateFault(cnf, presented))
    : 'is bound in a way that is not understood'
  if (fault !== undefined)
    throw new ProvisioningError('possession_unproven', `The ${noun} ${fault}.`, { facts })
}

function proofFault({ jkt }: Confirmation, { scheme, proof }: Presented): string | undefined {
  if (jkt === undefined) return undefined
  // RFC 9449 7.1: not as Bearer, whatever proof comes with it.
  if (scheme === 'Bearer') return 'is DPoP-bound and was presented as Bearer'
  if (proof === undefined) return 'is DPoP-bound and came without a proof'
  return proof.thumbprint === jkt ? undefined : 'is bound to another key than that of the DPoP proof'
}

/** RFC 8705 3: the certificate of this very connection, compared by its thumbprint. */
function certificateFault(cnf: Confirmation, { certificate }: Presented): string | undefined {
  const expected = cnf['x5t#S256']
  if (expected === undefined || expected === certificate) return undefined
  return certificate === undefined
    ? 'is bound to a client certificate and came without one'
    : 'is bound to another client certificate than that of the connection'
}

const MEMBERS: readonly string[] = ['jkt', 'x5t#S256'] satisfies (keyof Confirmation)[]

function isConfirmation(cnf: unknown): cnf is Confirmation {
  if (typeof cnf !== 'object' || cnf === null || Array.isArray(cnf)) return false
  const members = Object.entries(cnf)
  return members.length > 0 && members.every(([name, value]) => MEMBERS.includes(name) && isText(value))
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

/** What of a policy says that something must be bound. */
type Constraint = Pick<Policy, 'senderConstraint'> & Partial<Pick<Policy, 'certificateBound'>>

/**
 * What a key or token is to be bound to: the key of the proof it is asked for with, and the certificate where policy
 * wants that or `certificateUsed` says that the client has proven itself by it.
 *
 * @throws ProvisioningError `dpop_missing`, `certificate_missing` where policy requires what is not there
 */
export function constrain(
  { senderConstraint, certificateBound = false }: Constraint,
  { proof, certificate }: Possession,
  certificateUsed: boolean,
): Confirmation | undefined {
  if (senderConstraint === 'dpop' && proof === undefined)
    throw missing('dpop_missing', 'The client must ask with a DPoP proof.')
  const isCertificateWanted = senderConstraint === 'mtls' || certificateBound
  if (isCertificateWanted && certificate === undefined)
    throw missing('certificate_missing', 'The client must ask over a connection with its certificate.')
  const bindsCertificate = certificate !== undefined && (isCertificateWanted || certificateUsed)
  const members = {
    ...(proof !== undefined && { jkt: proof.thumbprint }),
    ...(bindsCertificate && { 'x5t#S256': certificate }),
  }
  return Object.keys(members).length === 0 ? undefined : members
}

function missing(reason: 'dpop_missing' | 'certificate_missing', message: string): ProvisioningError {
  return new ProvisioningError(reason, message, { disclosed: true })
}

/** The `token_type` of what is bound like that (RFC 9449 5; RFC 8705 3 leaves it at `Bearer`). */
export function tokenType(confirmation: Confirmation | undefined): 'Bearer' | 'DPoP' {
  return confirmation?.jkt === undefined ? 'Bearer' : 'DPoP'
}
