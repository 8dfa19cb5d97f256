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
import { validatedBy } from './policies.js'
import { verifyStatement } from './software-statement.js'

/** What a registrant sends, and what it is judged by. */
export interface Application extends Pick<ProposedRegistration, 'operation' | 'clientId' | 'registeredBy'> {
  readonly body: Claims
  readonly bounds: MetadataBounds
  /** That of the client which registers, or on whose key it was registered, as it is now. */
  readonly policy: Pick<Policy, 'registrationPolicies' | 'requireSoftwareStatement'>
  readonly current?: ClientMetadata
}

/** What is registered: the metadata, and the methods that these let the client authenticate by. */
export interface Accepted {
  readonly metadata: AcceptedMetadata
  readonly methods: readonly ClientAuthenticationMethod[]
}

/**
 * Judges what a client wants to be registered with, at first and at each update in the same way: the software
 * statement, whose claims win (RFC 7591 2.3); the metadata; the registration policies. A policy that answers metadata
 * without a scope takes all scopes away.
 */
export async function accept(deployment: Deployment, application: Application): Promise<Accepted> {
  const { body, bounds, policy, operation, clientId, registeredBy, current } = application
  const { software_statement: statement } = body
  if (statement === undefined && policy.requireSoftwareStatement)
    throw malformed('software_statement_missing', 'software_statement is missing: it is required here.')
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
  const metadata = await validatedBy(deployment, policy.registrationPolicies, proposed, bounds)
  const { token_endpoint_auth_method: method } = metadata
  // One that says nothing may send its secret either way (RFC 6749 2.3.1).
  const isNamed = Object.hasOwn(candidate, 'token_endpoint_auth_method') || method !== SECRET_METHODS[0]
  return {
    // RFC 7591 3.2.1: returned unmodified.
    metadata: { ...metadata, ...(attested && { software_statement: statement }) },
    methods: isNamed ? [method] : SECRET_METHODS,
  }
}

/** RFC 7591 2 and RFC 7592 2.2: without a `scope` the client gets a default, which is all that it may have. */
function withDefaultScope(metadata: AcceptedMetadata, permitted: ReadonlySet<string>): AcceptedMetadata {
  if (metadata.scope !== undefined || permitted.size === 0) return metadata
  return { ...metadata, scope: [...permitted].join(' ') }
}

/** What a statement says of a member, it says of it in every language. */
function withAttested(body: Claims, attested: Claims): Claims {
  const base = (name: string) => name.replace(/#.*/, '')
  const said = new Set(Object.keys(attested).map(base))
  const left = Object.entries(body).filter(([name]) => !said.has(base(name)))
  return { ...Object.fromEntries(left), ...attested }
}

/** The claims of a statement that are metadata; what else it says is about itself. */
function metadataIn(claims: Claims = {}): Claims {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => isMetadataMember(name)))
}
