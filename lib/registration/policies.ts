import { malformed, ProvisioningError } from '../base/errors.js'
import { deeplyFrozen, isObject } from '../base/object.js'
import { type AcceptedMetadata, acceptMetadata, type MetadataBounds } from '../clients/client-metadata.js'
import type { Deployment } from '../ports/deployment.js'
import type { ProposedRegistration } from '../ports/rules.js'

interface Proposal extends ProposedRegistration {
  readonly metadata: AcceptedMetadata
}

/**
 * Passes a registration through registration policies. Each sees the metadata that the one before it answered. Their
 * answers are checked like the metadata of a request.
 *
 * @throws ProvisioningError `registration_refused`; `server_fault` if a policy does not exist, or fails
 */
export async function applyPolicies(
  deployment: Deployment,
  proposed: Proposal,
  { names, bounds }: { readonly names: readonly string[]; readonly bounds: MetadataBounds },
): Promise<AcceptedMetadata> {
  let { metadata } = proposed
  for (const name of names) {
    const verdict = await verdictOf(deployment, name, { ...proposed, metadata })
    if (verdict !== undefined) metadata = acceptVerdict(name, verdict, bounds)
  }
  return metadata
}

async function verdictOf(deployment: Deployment, name: string, proposed: Proposal): Promise<unknown> {
  const policy = deployment.registration.policies.get(name)
  // To skip a misspelled policy would accept every registration.
  if (policy === undefined)
    throw fault(`registration.policies has no ${name}, which the policy of a client names: add it.`)
  try {
    return await policy(deeplyFrozen(structuredClone(proposed)))
  } catch (cause) {
    throw fault(
      `The registration policy ${name} failed (${classOf(cause)}): correct it, or return { refuse: 'why' }.`,
    )
  }
}

function acceptVerdict(name: string, verdict: unknown, bounds: MetadataBounds): AcceptedMetadata {
  if (!isObject(verdict))
    throw fault(`The registration policy ${name} must return nothing, metadata, or { refuse: 'why' }.`)
  if (verdict.refuse !== undefined) throw malformed('registration_refused', String(verdict.refuse))
  try {
    return acceptMetadata(structuredClone(verdict), bounds)
  } catch (cause) {
    const what = `The registration policy ${name} answered metadata that are not valid`
    throw fault(
      cause instanceof ProvisioningError ? `${what}. ${cause.message}` : `${what} (${classOf(cause)}).`,
    )
  }
}

/** An event names only the class of an error of a policy, because its message can quote the request. */
function classOf(thrown: unknown): string {
  const made: object = Object(thrown)
  return typeof made.constructor === 'function' ? made.constructor.name : 'of no class'
}

function fault(message: string): ProvisioningError {
  return new ProvisioningError('server_fault', message)
}
