import { parseNetwork } from '../base/network.js'
import { flag, object, oneOf, texts, whole } from '../base/schema.js'
import { isAudience } from '../clients/policy.js'
import { isExactScope, isForProvisioning, REGISTER_SCOPE } from '../clients/scopes.js'
import { CLIENT_ID } from '../ports/client.js'
import {
  MOST_BINDINGS,
  type PolicyOptions,
  REBINDINGS,
  REPLAY_CONTAINMENTS,
  SENDER_CONSTRAINTS,
} from '../ports/policy-options.js'

/** The greatest lifetime of a key or access token that can be configured. */
export const LONGEST_LIFETIME_SECONDS = 3600

export const lifetime = whole(1, LONGEST_LIFETIME_SECONDS, ' seconds')

export const AUDIENCE = [
  'an absolute URI without fragment or wildcard (RFC 8707 2)',
  (uri: string) => isAudience(uri) && !uri.includes('*'),
] as const

const scopes = texts('a scope token without a wildcard (RFC 6749 3.3)', isExactScope)
const scopesExcept = (excluded: string, isExcluded: (scope: string) => boolean) =>
  texts(
    `a scope token without a wildcard, but not ${excluded}`,
    (scope) => isExactScope(scope) && !isExcluded(scope),
  )

/** Reads a policy. Each member is checked alone; `validatePolicy` compares policies. */
export const readPolicy = object<PolicyOptions>({
  scopes,
  defaultScopes: scopes,
  accessTokenScopes: scopesExcept('provision:*', isForProvisioning),
  clientScopes: scopesExcept(REGISTER_SCOPE, (scope) => scope === REGISTER_SCOPE),
  audiences: texts(...AUDIENCE, 1),
  networks: texts('a network in CIDR notation', (network) => parseNetwork(network) !== undefined, 1),
  subjects: texts(
    'a client id, or a prefix that ends in one of : / . _ - followed by *',
    (subject) =>
      CLIENT_ID.test(subject) && (!subject.includes('*') || /^[^*]*[^*:/._-][:/._-]\*$/.test(subject)),
  ),
  introspectAudiences: texts(...AUDIENCE),
  registrationPolicies: texts('the name of a registration policy', (name) => name !== ''),
  lifetimeSeconds: lifetime,
  maxLifetimeSeconds: lifetime,
  accessTokenLifetimeSeconds: lifetime,
  outstandingKeys: whole(1, 1_000_000),
  maxBindings: whole(1, MOST_BINDINGS),
  confirmWithinSeconds: whole(10, 86_400, ' seconds'),
  senderConstraint: oneOf(SENDER_CONSTRAINTS),
  rebinding: oneOf(REBINDINGS),
  onReplay: oneOf(REPLAY_CONTAINMENTS),
  requireSoftwareStatement: flag,
})
