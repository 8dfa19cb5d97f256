import { unlessRefused } from '../base/caught-refusal.js'
import { ProvisioningError, type RefusalFacts } from '../base/errors.js'
import { isObject } from '../base/object.js'
import { text } from '../jose/signed-token.js'
import type { Policy } from '../ports/policy-options.js'
import type { Confirmation } from '../ports/store.js'
import type { DpopProof } from './dpop.js'

/** The DPoP key and the client certificate that a request has proven to possess. */
export interface Possession {
  readonly proof: DpopProof | undefined
  /** The thumbprint of the client certificate of the connection (RFC 8705 3.1). */
  readonly certificate: string | undefined
}

/** A key or an access token as presented. The scheme `body` is the subject token of a token exchange. */
export interface PresentedCredential {
  readonly token: string
  readonly scheme: 'Bearer' | 'DPoP' | 'body'
}

/** The possession of a request with a credential. */
export type ProvenPossession = Possession & Pick<PresentedCredential, 'scheme'>

/** Runs a check of a credential. Its refusal is disclosed only to the owner, who proves possession. */
export function discloseToOwner(cnf: unknown, possession: () => ProvenPossession, check: () => void): void {
  try {
    check()
  } catch (error) {
    const isOwner = cnf !== undefined && unlessRefused(() => confirm(cnf, possession(), {}) ?? true) === true
    throw error instanceof ProvisioningError && isOwner ? error.with({ disclosed: true }) : error
  }
}

/**
 * Requires possession of everything that a key or token is bound to. A `cnf` with an unknown member is refused too
 * (RFC 7800 3.1).
 *
 * @throws ProvisioningError `possession_unproven`; `key_unbound` for the scheme `DPoP` without a DPoP binding
 */
export function confirm(cnf: unknown, presented: ProvenPossession, facts: RefusalFacts): void {
  const noun = facts.tokenId === undefined ? 'key' : 'access token'
  const isDpopBound = cnf !== undefined && isConfirmation(cnf) && cnf.jkt !== undefined
  if (presented.scheme === 'DPoP' && (cnf === undefined || (isConfirmation(cnf) && !isDpopBound))) {
    const message = `The ${noun} is not bound to a DPoP key; present it as Bearer.`
    throw new ProvisioningError('key_unbound', message, { facts })
  }
  if (cnf === undefined) return
  const fault = isConfirmation(cnf)
    ? (proofFault(cnf, presented) ?? certificateFault(cnf, presented))
    : 'has a cnf that is not supported'
  if (fault !== undefined)
    throw new ProvisioningError('possession_unproven', `The ${noun} ${fault}.`, { facts })
}

function proofFault({ jkt }: Confirmation, { scheme, proof }: ProvenPossession): string | undefined {
  if (jkt === undefined) return undefined
  // RFC 9449 7.1: never as Bearer, even with a valid proof.
  if (scheme === 'Bearer') return 'is DPoP-bound and was presented as Bearer'
  if (proof === undefined) return 'is DPoP-bound and came without a proof'
  return proof.thumbprint === jkt ? undefined : 'is bound to another key than that of the DPoP proof'
}

/** RFC 8705 3: the certificate of this connection must have the thumbprint. */
function certificateFault(cnf: Confirmation, { certificate }: Possession): string | undefined {
  const expected = cnf['x5t#S256']
  if (expected === undefined || expected === certificate) return undefined
  return certificate === undefined
    ? 'is bound to a client certificate and came without one'
    : 'is bound to another client certificate than that of the connection'
}

const MEMBERS: readonly string[] = ['jkt', 'x5t#S256'] satisfies (keyof Confirmation)[]

function isConfirmation(cnf: unknown): cnf is Confirmation {
  const members = isObject(cnf) ? Object.entries(cnf) : []
  return members.length > 0 && members.every(([name, value]) => MEMBERS.includes(name) && text(value))
}

/** The members of a policy that require a binding. */
type Constraint = Pick<Policy, 'senderConstraint'> & Partial<Pick<Policy, 'registeredConstraints'>>

/**
 * The confirmation of a new key or token. It is bound to the DPoP key of its request. It is bound to the certificate if
 * the policy requires that, or if the client has authenticated with it (`certificateUsed`).
 *
 * @throws ProvisioningError `dpop_missing`, `certificate_missing` when the policy requires a binding that the request
 *   does not allow
 */
export function constrain(
  { senderConstraint, registeredConstraints = [] }: Constraint,
  { proof, certificate }: Possession,
  certificateUsed: boolean,
): Confirmation | undefined {
  const wanted = [senderConstraint, ...registeredConstraints]
  if (wanted.includes('dpop') && proof === undefined)
    throw missing('dpop_missing', 'The client must ask with a DPoP proof.')
  const isCertificateWanted = wanted.includes('mtls')
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

/** The `token_type` of a credential (RFC 9449 5). A binding to a certificate is still `Bearer` (RFC 8705 3). */
export function tokenType(confirmation: Confirmation | undefined): 'Bearer' | 'DPoP' {
  return confirmation?.jkt === undefined ? 'Bearer' : 'DPoP'
}
