import { malformed, ProvisioningError, type Reason, type RefusalFacts } from '../base/errors.js'
import { withoutUndefined } from '../base/object.js'
import type { Parameters } from '../base/request.js'
import { CLIENT_ID } from '../ports/client.js'
import type { Policy, PolicyBounds, PolicyOptions } from '../ports/policy-options.js'
import { parseScope, SCOPES_OF_PROVISIONED, scopesOf } from './scopes.js'

/** A policy in the form that limits other policies. */
export function boundsOf(policy: Policy): PolicyBounds {
  const {
    subjects: _,
    introspectAudiences: __,
    defaultScopes: ___,
    registeredConstraints,
    ...bounds
  } = policy
  const { scopes, accessTokenScopes, clientScopes, senderConstraint } = bounds
  return withoutUndefined({
    ...bounds,
    scopes: [...scopes],
    accessTokenScopes: accessTokenScopes && [...accessTokenScopes],
    clientScopes: clientScopes && [...clientScopes],
    // A client that may have only bound credentials must not pass on a right to unbound ones.
    senderConstraint:
      (senderConstraint === 'none' ? registeredConstraints[0] : undefined) ?? senderConstraint,
  })
}

/**
 * The policy of a client that a key registers or binds.
 *
 * It has all bounds of the client that asked for the key. Otherwise a client could escape a bound by registering another
 * client. It has no `subjects` and no `introspectAudiences`, so the new client can act only for itself.
 */
export function inheritedPolicy(
  policy: Policy,
  own: {
    readonly scopes: readonly string[]
    readonly defaultScopes?: readonly string[]
    readonly audience: string
  },
): PolicyOptions {
  return {
    ...boundsOf(policy),
    scopes: own.scopes,
    ...(own.defaultScopes !== undefined && { defaultScopes: own.defaultScopes }),
    audiences: [own.audience],
    subjects: [],
    introspectAudiences: [],
  }
}

/** The client that asks for a key. */
interface RequestingClient {
  readonly clientId: string
  readonly policy: Policy
  /** The client that registered or bound this one. */
  readonly registeredBy?: string
}

/** The terms of one key, as the policy allows them. */
export interface Terms {
  readonly subject: string
  readonly scope: readonly string[]
  readonly audience: string
  readonly lifetimeSeconds: number
  readonly networks: readonly string[] | undefined
}

/** Checks the parameters of a request for a key. It refuses a request that asks for too much, and never reduces it. */
export function permitTerms(client: RequestingClient, parameters: Parameters): Terms {
  const { clientId, policy } = client
  return {
    subject: permitSubject(clientId, policy, parameters.get('requested_subject')),
    scope: permitScope(client, parameters.get('scope')),
    audience: permitAudience(policy.audiences, parameters.get('resource')),
    lifetimeSeconds: permitLifetime(policy, parameters.get('requested_expiry')),
    networks: policy.networks,
  }
}

function permitScope(
  { policy, registeredBy }: RequestingClient,
  requested: string | undefined,
): readonly string[] {
  if (requested === undefined) {
    if (policy.defaultScopes.length > 0) return policy.defaultScopes
    throw new ProvisioningError(
      'scope_default_missing',
      'scope is missing, and the client has no default scope: send a scope.',
    )
  }
  const scopes = parseScope(requested)
  if (scopes.every((scope) => policy.scopes.has(scope))) return scopes
  const { reason, message } = notPermitted('scope_not_permitted', 'scope', policy.scopes)
  throw new ProvisioningError(
    reason,
    registeredBy === undefined ? message : `${message} ${SCOPES_OF_PROVISIONED}`,
  )
}

/** Names the parameter and its allowed values, never the value in the request: clients paste secrets into wrong places. */
export function notPermitted(
  reason: Reason,
  parameter: string,
  permitted: Iterable<string>,
  facts: RefusalFacts = {},
): ProvisioningError {
  const allowed = [...permitted].join(', ')
  const message =
    allowed === '' ? `${parameter}: the policy allows none.` : `${parameter}: expected only ${allowed}.`
  return new ProvisioningError(reason, message, { facts })
}

/** An absolute URI without a fragment (RFC 8707 2). */
export function isAudience(text: string): boolean {
  return URL.canParse(text) && /^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/i.test(text) && !text.includes('#')
}

/** Checks the requested audience. The default is the first permitted one. */
export function permitAudience(
  permitted: readonly string[],
  requested: string | undefined,
  facts: RefusalFacts = {},
): string {
  if (requested !== undefined && !isAudience(requested)) {
    throw malformed('audience_malformed', 'resource: expected an absolute URI without a fragment.')
  }
  const audience = requested ?? permitted[0]
  if (audience !== undefined && permitted.includes(audience)) return audience
  if (permitted.length > 0) throw notPermitted('audience_not_permitted', 'resource', permitted, facts)
  throw new ProvisioningError('audience_not_permitted', NO_AUDIENCE, { facts })
}

const NO_AUDIENCE = 'resource: the policy of the client has no audience of this server; add one to it.'

function permitLifetime(policy: Policy, requested: string | undefined): number {
  if (requested === undefined) return policy.lifetimeSeconds
  if (!/^[1-9]\d{0,8}$/.test(requested)) {
    throw malformed('parameter_malformed', 'requested_expiry: expected a positive whole number of seconds.')
  }
  if (Number(requested) <= policy.maxLifetimeSeconds) return Number(requested)
  const message = `requested_expiry: expected at most ${policy.maxLifetimeSeconds} seconds.`
  throw new ProvisioningError('lifetime_not_permitted', message)
}

function permitSubject(clientId: string, policy: Policy, requested: string | undefined): string {
  if (requested === undefined || requested === clientId) return clientId
  if (!CLIENT_ID.test(requested)) {
    throw malformed('parameter_malformed', 'requested_subject: expected 1 to 255 printable ASCII characters.')
  }
  if (policy.subjects.some((pattern) => matchesSubject(pattern, requested))) return requested
  throw notPermitted('subject_not_permitted', 'requested_subject', [clientId, ...policy.subjects])
}

/**
 * Finds a member in which a policy allows more than another policy. A member allows more if narrowing changes it, unless
 * `isWithin` has a comparison of its own.
 *
 * @param narrowed the policy, limited by the bounds of the other one
 */
export function memberBeyond(policy: Policy, narrowed: Policy, other: Policy): keyof Policy | undefined {
  const isWithin: Partial<Record<keyof Policy, boolean>> = {
    subjects: policy.subjects.every((one) => other.subjects.some((pattern) => isSubjectWithin(one, pattern))),
    introspectAudiences: isSubset(policy.introspectAudiences, other.introspectAudiences),
    accessTokenScopes: isSubset(scopesOf(policy, 'accessTokenScopes'), scopesOf(other, 'accessTokenScopes')),
    clientScopes: isSubset(scopesOf(policy, 'clientScopes'), scopesOf(other, 'clientScopes')),
    // The first two only restrict. The other two are defaults within scopes and maxLifetimeSeconds.
    registeredConstraints: true,
    confirmWithinSeconds: true,
    defaultScopes: true,
    lifetimeSeconds: true,
  }
  const isSame = (name: keyof Policy) => textOf(policy[name]) === textOf(narrowed[name])
  return (Object.keys(policy) as (keyof Policy)[]).find((name) => !(isWithin[name] ?? isSame(name)))
}

function isSubset(inner: readonly string[], outer: readonly string[]): boolean {
  return inner.every((one) => outer.includes(one))
}

/** The order of a list does not matter. */
function textOf(member: Policy[keyof Policy]): string {
  const isList = member instanceof Set || Array.isArray(member)
  return JSON.stringify(isList ? [...(member as Iterable<string>)].sort() : member) ?? 'undefined'
}

/** Whether every subject that matches one pattern matches the other too. */
export function isSubjectWithin(inner: string, outer: string): boolean {
  if (inner === outer) return true
  if (!inner.endsWith('*')) return matchesSubject(outer, inner)
  const rest = afterPrefix(outer, inner.slice(0, -1))
  return rest !== undefined && UNRESERVED.test(rest)
}

function matchesSubject(pattern: string, subject: string): boolean {
  if (!pattern.endsWith('*')) return subject === pattern
  const rest = afterPrefix(pattern, subject)
  // A subject of only dots would change a path that contains it (RFC 3986 5.2.4).
  return rest !== undefined && UNRESERVED.test(rest) && !/^\.*$/.test(rest)
}

/** RFC 3986 2.3: characters without a special meaning in a path, a pattern or a shell. */
const UNRESERVED = /^[A-Za-z0-9._~-]*$/

/** The rest of a text after the prefix of a pattern. `undefined` if the text does not begin with it. */
function afterPrefix(pattern: string, text: string): string | undefined {
  const prefix = pattern.slice(0, -1)
  return pattern.endsWith('*') && text.startsWith(prefix) ? text.slice(prefix.length) : undefined
}
