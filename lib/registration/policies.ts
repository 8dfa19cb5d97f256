import { malformed, ProvisioningError } from '../base/errors.js'
import { type AcceptedMetadata, acceptMetadata, type MetadataBounds } from '../clients/client-metadata.js'
import type { Claims } from '../jose/jws.js'
import type { Deployment } from '../ports/deployment.js'
import type { ProposedRegistration, RegistrationPolicy } from '../ports/rules.js'

/**
 * Has each of the named policies judge a registration, one after the other; each sees what the one before has made of
 * it. What they answer is validated like what a registrant sends.
 *
 * @throws ProvisioningError `registration_refused`; `server_fault` when there is no such policy, or it fails
 */
export async function validatedBy(
  deployment: Deployment,
  names: readonly string[],
  proposed: ProposedRegistration & { readonly metadata: AcceptedMetadata },
  bounds: MetadataBounds,
): Promise<AcceptedMetadata> {
  let { metadata } = proposed
  for (const name of names) {
    const policy = deployment.registration.policies.get(name)
    // A name that is nobody's must not come to mean that nobody objects.
    if (policy === undefined) throw fault(`There is no registration policy ${name}.`)
    metadata = await validate(name, policy, { ...proposed, metadata }, bounds)
  }
  return metadata
}

async function validate(
  name: string,
  policy: RegistrationPolicy,
  proposed: ProposedRegistration & { readonly metadata: AcceptedMetadata },
  bounds: MetadataBounds,
): Promise<AcceptedMetadata> {
  const verdict: unknown = await verdictOf(name, policy, proposed)
  if (verdict === undefined) return proposed.metadata
  if (typeof verdict !== 'object' || verdict === null || Array.isArray(verdict))
    throw fault(`The registration policy ${name} answered neither metadata nor why not.`)
  const { refuse } = verdict as Claims
  if (refuse !== undefined) throw malformed('registration_refused', String(refuse))
  try {
    return acceptMetadata(structuredClone(verdict) as Claims, bounds)
  } catch (cause) {
    const what = `The registration policy ${name} answered metadata that are not valid`
    throw fault(
      cause instanceof ProvisioningError ? `${what}. ${cause.message}` : `${what} (${classOf(cause)}).`,
    )
  }
}

async function verdictOf(name: string, policy: RegistrationPolicy, proposed: ProposedRegistration) {
  try {
    return await policy(frozen(structuredClone(proposed)))
  } catch (cause) {
    throw fault(`The registration policy ${name} failed (${classOf(cause)}).`)
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

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) frozen(member)
  return Object.freeze(value)
}
