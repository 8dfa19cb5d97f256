import { ProvisioningError, unlessRefused } from '../base/errors.js'
import type { PresentedRequest } from '../base/request.js'
import type { VerificationRules } from '../ports/deployment.js'
import { proofReader } from './dpop.js'
import { confirm, type Possession, type Scheme } from './possession.js'
import type { Target } from './target.js'

/** A key or token as presented: its text, and how. */
export interface PresentedCredential {
  readonly token: string
  readonly scheme: Scheme
}

/** What the presenter of a credential has proven to hold, and how the credential came. */
export type ProvenPossession = Possession & { readonly scheme: Scheme }

/** Reads what the presenter of a credential proves to hold. */
export type ReadPossession = (
  presentedAs: PresentedCredential,
  presented: PresentedRequest,
  target: Target,
) => ProvenPossession

/** Makes the reader that keys and access tokens share. It throws for a proof that is there and does not hold. */
export function possessionReader(deployment: VerificationRules): ReadPossession {
  const readProof = proofReader(deployment)
  return function hold({ token, scheme }, presented, target) {
    const proof = readProof(presented, target, token, scheme !== 'body')
    return { scheme, proof, certificate: presented.certificate?.thumbprint }
  }
}

/** Judges; one who holds what the credential is bound to is told precisely what is wrong with it, and nobody else. */
export function discloseToOwner(cnf: unknown, held: () => ProvenPossession, judge: () => void): void {
  try {
    judge()
  } catch (error) {
    const proven = cnf !== undefined && unlessRefused(() => confirm(cnf, held(), {}) ?? true) === true
    throw error instanceof ProvisioningError && proven ? error.with({ disclosed: true }) : error
  }
}
