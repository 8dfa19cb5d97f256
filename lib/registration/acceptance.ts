import { malformed } from '../base/errors.js'
import {
  type AcceptedMetadata,
  acceptMetadata,
  isMetadataMember,
  type MetadataBounds,
} from '../clients/client-metadata.js'
import type { Claims } from '../jose/jws.js'
import type { ClientMetadata } from '../ports/client.js'
import type { Deployment } from '../ports/deployment.js'
import { type ClientAuthenticationMethod, SECRET_METHODS } from '../ports/methods.js'
import type { Policy } from '../ports/policy-options.js'
import type { ProposedRegistration } from '../ports/rules.js'
import { applyPolicies } from './policies.js'
import { verifyStatement } from './software-statement.js'

/** A registration or an update to check, and the rules for it. */
export interface RequestedRegistration
  extends Pick<ProposedRegistration, 'operation' | 'clientId' | 'registeredBy'> {
  readonly body: Claims
  readonly bounds: MetadataBounds
  /** The present policy of the client that asked for the key of the registration. */
  readonly policy: Pick<Policy, 'registrationPolicies' | 'requireSoftwareStatement'>
  /** The registered metadata, which an update replaces. */
  readonly current?: ClientMetadata
}

export interface AcceptedRegistration {
  readonly metadata: AcceptedMetadata
  /** How the client may authenticate by its metadata. */
  readonly methods: readonly ClientAuthenticationMethod[]
}

/**
 * Checks a registration or an update, both in the same way. First comes the software statement: its claims win over the
 * body (RFC 7591 2.3). Then come the metadata, and then the registration policies. A registration policy that answers
 * metadata without a scope takes all scopes away.
 *
 * @throws ProvisioningError `software_statement_missing`, and the errors of `verifyStatement`, `acceptMetadata` and
 *   `applyPolicies`
 */
export async function accept(
  deployment: Deployment,
  { body, bounds, policy, operation, clientId, registeredBy, current }: RequestedRegistration,
): Promise<AcceptedRegistration> {
  const { software_statement: statement } = body
  if (statement === undefined && policy.requireSoftwareStatement)
    throw malformed('software_statement_missing', 'software_statement is required; send one.')
  const attested = statement === undefined ? undefined : verifyStatement(deployment, statement)
  const candidate = withAttested(body, metadataIn(attested))
  const accepted = withDefaultScope(acceptMetadata(candidate, bounds), bounds.scopes)
  const proposed = {
    operation,
    clientId,
    registeredBy,
    metadata: accepted,
    ...(attested && { softwareStatement: attested }),
    ...(current && { current }),
  }
  const names = policy.registrationPolicies
  const metadata = await applyPolicies(deployment, proposed, { names, bounds })
  const { token_endpoint_auth_method: method } = metadata
  // A client that names no method may send its secret in the header or in the body (RFC 6749 2.3.1).
  const isNamed = Object.hasOwn(candidate, 'token_endpoint_auth_method') || method !== SECRET_METHODS[0]
  return {
    // RFC 7591 3.2.1: returned unmodified.
    metadata: { ...metadata, ...(attested && { software_statement: statement }) },
    methods: isNamed ? [method] : SECRET_METHODS,
  }
}

/** RFC 7591 2 and RFC 7592 2.2: without a `scope` the client gets a default: all scopes that it may have. */
function withDefaultScope(metadata: AcceptedMetadata, permitted: ReadonlySet<string>): AcceptedMetadata {
  if (metadata.scope !== undefined || permitted.size === 0) return metadata
  return { ...metadata, scope: [...permitted].join(' ') }
}

/** An attested member replaces the member in every language, such as `client_name#de` (RFC 7591 2.2). */
function withAttested(body: Claims, attested: Claims): Claims {
  const base = (name: string) => name.replace(/#.*/, '')
  const names = new Set(Object.keys(attested).map(base))
  const left = Object.entries(body).filter(([name]) => !names.has(base(name)))
  return { ...Object.fromEntries(left), ...attested }
}

/** The claims of a statement that are client metadata. The others, such as `iss`, are about the statement. */
function metadataIn(claims: Claims = {}): Claims {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => isMetadataMember(name)))
}
