import { malformed, ProvisioningError, type Reason, type RefusalFacts } from '../base/errors.js'
import type { Parameters } from '../base/request.js'
import type { Policy, PolicyBounds, PolicyOptions } from '../ports/policy-options.js'

/** A policy as the bounds of another. */
export function boundsOf(policy: Policy): PolicyBounds {
  const { networks, accessTokenScopes, certificateBound, senderConstraint } = policy
  return {
    scopes: [...policy.scopes],
    audiences: policy.audiences,
    lifetimeSeconds: policy.lifetimeSeconds,
    maxLifetimeSeconds: policy.maxLifetimeSeconds,
    outstandingKeys: policy.outstandingKeys,
    senderConstraint: certificateBound && senderConstraint === 'none' ? 'mtls' : senderConstraint,
    rebinding: policy.rebinding,
    maxBindings: policy.maxBindings,
    onReplay: policy.onReplay,
    registrationPolicies: policy.registrationPolicies,
    requireSoftwareStatement: policy.requireSoftwareStatement,
    accessTokenLifetimeSeconds: policy.accessTokenLifetimeSeconds,
    ...(networks !== undefined && { networks }),
    ...(accessTokenScopes !== undefined && { accessTokenScopes: [...accessTokenScopes] }),
  }
}

/**
 * The policy of a client that comes into being by a key: every bound of the client that asked for the key, so that
 * nobody sheds a bound by registering another self; and no subjects, so that it can speak for itself alone, nor
 * audiences to introspect, so that it can ask about itself alone.
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

/** What policy allowed for one key. */
export interface Terms {
  readonly subject: string
  readonly scope: readonly string[]
  readonly audience: string
  readonly lifetimeSeconds: number
  readonly networks: readonly string[] | undefined
}

/** Permits what a client asks for, or refuses it; nothing is ever cut down in silence. */
export function permitTerms(clientId: string, policy: Policy, parameters: Parameters): Terms {
  return {
    subject: permitSubject(clientId, policy, parameters.get('requested_subject')),
    scope: permitScope(policy, parameters.get('scope')),
    audience: permitAudience(policy.audiences, parameters.get('resource')),
    lifetimeSeconds: permitLifetime(policy, parameters.get('requested_expiry')),
    networks: policy.networks,
  }
}

/** RFC 6749 3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`. */
export const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Reads a `scope` parameter: its scopes, each once. */
export function parseScope(text: string): readonly string[] {
  const scopes = text.split(' ')
  if (!scopes.every((scope) => SCOPE_TOKEN.test(scope))) {
    throw malformed('scope_malformed', 'The scope is not a list of scope tokens separated by single spaces.')
  }
  return [...new Set(scopes)]
}

function permitScope(policy: Policy, requested: string | undefined): readonly string[] {
  if (requested === undefined) {
    if (policy.defaultScopes.length > 0) return policy.defaultScopes
    throw new ProvisioningError(
      'scope_default_missing',
      'No scope was asked for and the client has no default scope.',
    )
  }
  const scopes = parseScope(requested)
  if (scopes.every((scope) => policy.scopes.has(scope))) return scopes
  throw notPermitted('scope_not_permitted', 'scope', policy.scopes)
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

/** Permits an audience, the first being the default. */
export function permitAudience(
  permitted: readonly string[],
  requested: string | undefined,
  facts: RefusalFacts = {},
): string {
  if (requested !== undefined && !isAudience(requested)) {
    throw malformed('audience_malformed', 'The resource is not an absolute URI without a fragment.')
  }
  const audience = requested ?? permitted[0]
  if (audience !== undefined && permitted.includes(audience)) return audience
  if (permitted.length > 0) throw notPermitted('audience_not_permitted', 'resource', permitted, facts)
  throw new ProvisioningError('audience_not_permitted', NO_AUDIENCE, { facts })
}

const NO_AUDIENCE = 'The client may not have a key for any audience that is served here.'

function permitLifetime(policy: Policy, requested: string | undefined): number {
  if (requested === undefined) return policy.lifetimeSeconds
  if (!/^[1-9]\d{0,8}$/.test(requested)) {
    throw malformed('parameter_malformed', 'requested_expiry is not a positive whole number of seconds.')
  }
  if (Number(requested) <= policy.maxLifetimeSeconds) return Number(requested)
  const message = `requested_expiry: expected at most ${policy.maxLifetimeSeconds} seconds.`
  throw new ProvisioningError('lifetime_not_permitted', message)
}

/** A client identity: printable ASCII (RFC 6749 A.1), at most 255 characters. */
export const CLIENT_ID = /^[\x20-\x7e]{1,255}$/

function permitSubject(clientId: string, policy: Policy, requested: string | undefined): string {
  if (requested === undefined || requested === clientId) return clientId
  if (!CLIENT_ID.test(requested)) {
    throw malformed('parameter_malformed', 'requested_subject is not 1 to 255 printable ASCII characters.')
  }
  if (policy.subjects.some((pattern) => matchesSubject(pattern, requested))) return requested
  throw notPermitted('subject_not_permitted', 'requested_subject', [clientId, ...policy.subjects])
}

/**
 * Finds a member of a policy that allows more than another policy.
 *
 * @param narrowed the policy, narrowed to the bounds of the other one
 */
export function memberBeyond(policy: Policy, narrowed: Policy, other: Policy): keyof Policy | undefined {
  const isWithin: Partial<Record<keyof Policy, boolean>> = {
    subjects: policy.subjects.every((one) => other.subjects.some((pattern) => isSubjectWithin(one, pattern))),
    introspectAudiences: policy.introspectAudiences.every((one) => other.introspectAudiences.includes(one)),
    // Without scopes of its own for access tokens, a policy allows all its scopes.
    accessTokenScopes: [...(policy.accessTokenScopes ?? policy.scopes)].every((scope) =>
      (other.accessTokenScopes ?? other.scopes).has(scope),
    ),
    certificateBound: true,
    defaultScopes: true,
    lifetimeSeconds: true,
  }
  const isSame = (name: keyof Policy) => textOf(policy[name]) === textOf(narrowed[name])
  return (Object.keys(policy) as (keyof Policy)[]).find((name) => !(isWithin[name] ?? isSame(name)))
}

function textOf(member: Policy[keyof Policy]): string {
  const isList = member instanceof Set || Array.isArray(member)
  return JSON.stringify(isList ? [...(member as Iterable<string>)].sort() : member) ?? 'undefined'
}

/** Whether a pattern of subjects allows nothing beyond another. */
export function isSubjectWithin(inner: string, outer: string): boolean {
  if (inner === outer) return true
  if (!inner.endsWith('*')) return matchesSubject(outer, inner)
  const rest = afterPrefix(outer, inner.slice(0, -1))
  return rest !== undefined && UNRESERVED.test(rest)
}

function matchesSubject(pattern: string, subject: string): boolean {
  if (!pattern.endsWith('*')) return subject === pattern
  const rest = afterPrefix(pattern, subject)
  // Dots alone would change a path that the subject is put into (RFC 3986 5.2.4).
  return rest !== undefined && UNRESERVED.test(rest) && !/^\.*$/.test(rest)
}

/** RFC 3986 2.3: the characters that mean nothing in a path, a pattern or a shell. */
const UNRESERVED = /^[A-Za-z0-9._~-]*$/

/** What follows the prefix of a pattern; `undefined` where the text does not begin with it, or it is no prefix. */
function afterPrefix(pattern: string, text: string): string | undefined {
  const prefix = pattern.slice(0, -1)
  return pattern.endsWith('*') && text.startsWith(prefix) ? text.slice(prefix.length) : undefined
}
