import { describe, type Faults, join } from '../base/faults.js'
import { isNetworkWithin } from '../base/network.js'
import { isSubjectWithin } from '../clients/policy.js'
import type { Client, ClientMetadata } from '../ports/client.js'
import type { Deployment } from '../ports/deployment.js'
import type {
  Policy,
  PolicyBounds,
  PolicyOptions,
  Rebinding,
  ReplayContainment,
  SenderConstraint,
} from '../ports/policy-options.js'

/** The defaults of a policy. `scopes` and most other lists have none. */
export const DEFAULTS = {
  lifetimeSeconds: 300,
  maxLifetimeSeconds: 900,
  maxBindings: 2,
  outstandingKeys: 1000,
  accessTokenLifetimeSeconds: 600,
} as const

type ListName = 'scopes' | 'audiences' | 'networks' | 'subjects' | 'accessTokenScopes' | 'clientScopes'
type Within = (inner: string, outer: string) => boolean

const same: Within = (inner, outer) => inner === outer

/** The members that are lists, and when an entry is within an entry of the outer policy. */
const LISTS: Record<ListName, Within> = {
  scopes: same,
  audiences: same,
  networks: isNetworkWithin,
  subjects: isSubjectWithin,
  accessTokenScopes: same,
  clientScopes: same,
}

/** Members with a default. `confirmWithinSeconds` has none. */
const LIMITS = ['maxLifetimeSeconds', 'maxBindings', 'outstandingKeys', 'accessTokenLifetimeSeconds'] as const
const COUNTS = [...LIMITS, 'confirmWithinSeconds'] as const

/** Notes contradictions within a policy, and members that exceed the outer policy, which is that of the deployment. */
export function validatePolicy(path: string, own: PolicyOptions, outer: PolicyBounds, faults: Faults): void {
  for (const name of Object.keys(LISTS) as ListName[]) {
    noteBeyond(join(path, name), own[name], outer[name], {
      within: LISTS[name],
      of: `policy.${name}`,
      faults,
    })
  }
  const scopes = own.scopes ?? outer.scopes ?? []
  const exactly = (of: string) => ({ within: same, of, faults })
  for (const name of ['defaultScopes', 'clientScopes'] as const)
    noteBeyond(join(path, name), own[name], scopes, exactly(join(path, 'scopes')))
  const introspected = join(path, 'introspectAudiences')
  noteBeyond(introspected, own.introspectAudiences, outer.audiences, exactly('policy.audiences'))
  for (const name of COUNTS) {
    const most = mostOf(name, outer)
    if ((own[name] ?? 0) > most)
      faults.add(join(path, name), `at most ${most}, as policy.${name} says`, String(own[name]))
  }
  noteLoosened(path, own, outer, faults)
  const cap = own.maxLifetimeSeconds ?? outer.maxLifetimeSeconds ?? DEFAULTS.maxLifetimeSeconds
  if ((own.lifetimeSeconds ?? 0) > cap) {
    faults.add(
      join(path, 'lifetimeSeconds'),
      `at most maxLifetimeSeconds, which is ${cap}`,
      String(own.lifetimeSeconds),
    )
  }
}

/** Notes members that lift a requirement of an outer policy, or allow something else than it allows. */
function noteLoosened(path: string, own: PolicyOptions, outer: PolicyBounds, faults: Faults): void {
  if (own.senderConstraint === 'none' && (outer.senderConstraint ?? 'none') !== 'none') {
    faults.add(
      join(path, 'senderConstraint'),
      `${outer.senderConstraint}, as policy.senderConstraint says`,
      "'none'",
    )
  }
  if (own.requireSoftwareStatement === false && outer.requireSoftwareStatement === true)
    faults.add(
      join(path, 'requireSoftwareStatement'),
      'true, as policy.requireSoftwareStatement says',
      'false',
    )
  const { rebinding } = own
  if (rebinding !== undefined && rebinding !== rebindingWithin(own, outer)) {
    const left = [...new Set([outer.rebinding, 'refuse'])].join(' or ')
    faults.add(join(path, 'rebinding'), `${left}, as policy.rebinding says`, `'${rebinding}'`)
  }
  if (own.onReplay === 'flag' && containment(own, outer) !== 'flag')
    faults.add(join(path, 'onReplay'), 'revoke, as policy.onReplay says', "'flag'")
}

function noteBeyond(
  path: string,
  inner: readonly string[] | undefined,
  outer: readonly string[] | undefined,
  { within, of, faults }: { within: Within; of: string; faults: Faults },
): void {
  const beyond = outer === undefined ? [] : (inner?.filter((one) => !isWithinAny(one, outer, within)) ?? [])
  if (beyond.length > 0) faults.add(path, `only what ${of} allows`, beyond.map(describe).join(', '))
}

function isWithinAny(one: string, outer: readonly string[], within: Within): boolean {
  return outer.some((other) => within(one, other))
}

/**
 * Makes the function that completes the policy of a client. It does so once for each listed client, now. For a client that
 * is looked up, it does so once for each look-up. A changed client is another object, so its policy is completed again.
 */
export function policyCompleter(
  outer: PolicyBounds,
  listed: readonly { readonly client: Client }[],
): Deployment['policyOf'] {
  const completed = new WeakMap<Client, Policy>()
  const complete = ({ policy = {}, metadata }: Client, bounds: PolicyBounds) =>
    completePolicy(policy, bounds, registeredConstraints(metadata))

  function policyOf(client: Client, within?: PolicyBounds): Policy {
    if (within !== undefined) return complete(client, within)
    const policy = completed.get(client) ?? complete(client, outer)
    completed.set(client, policy)
    return policy
  }

  for (const { client } of listed) policyOf(client)
  return policyOf
}

/** The constraints that a client has registered for itself: DPoP (RFC 9449 5.2) or its certificate (RFC 8705 3.4). */
function registeredConstraints(metadata: ClientMetadata = {}): Policy['registeredConstraints'] {
  return [
    ...(metadata.dpop_bound_access_tokens === true ? (['dpop'] as const) : []),
    ...(metadata.tls_client_certificate_bound_access_tokens === true ? (['mtls'] as const) : []),
  ]
}

/**
 * Completes the policy of a client with that of the deployment, and limits it to that.
 *
 * @param registered the constraints in its metadata
 */
export function completePolicy(
  own: PolicyOptions,
  outer: PolicyBounds,
  registered: Policy['registeredConstraints'] = [],
): Policy {
  const scopes = narrow('scopes', own, outer) ?? []
  const maxLifetimeSeconds = least('maxLifetimeSeconds', own, outer)
  const lifetime = own.lifetimeSeconds ?? outer.lifetimeSeconds ?? DEFAULTS.lifetimeSeconds
  return Object.freeze({
    scopes: new Set(scopes),
    defaultScopes: (own.defaultScopes ?? outer.defaultScopes ?? []).filter((scope) => scopes.includes(scope)),
    audiences: narrow('audiences', own, outer) ?? [],
    lifetimeSeconds: Math.min(lifetime, maxLifetimeSeconds),
    maxLifetimeSeconds,
    // The list is empty if all networks of a client are outside. An empty list must not mean "anywhere".
    networks: narrow('networks', own, outer),
    subjects: narrow('subjects', own, outer) ?? [],
    // Never inherited from the deployment: each client needs its own permission to introspect others.
    introspectAudiences: (own.introspectAudiences ?? []).filter((one) => outer.audiences.includes(one)),
    senderConstraint: stricter(own, outer),
    rebinding: rebindingWithin(own, outer),
    maxBindings: least('maxBindings', own, outer),
    confirmWithinSeconds: shorter(own.confirmWithinSeconds, outer.confirmWithinSeconds),
    onReplay: containment(own, outer),
    registeredConstraints: registered,
    // These add up, because each registration policy allows less.
    registrationPolicies: [
      ...new Set([...(outer.registrationPolicies ?? []), ...(own.registrationPolicies ?? [])]),
    ],
    requireSoftwareStatement: [outer, own].some((one) => one.requireSoftwareStatement === true),
    outstandingKeys: least('outstandingKeys', own, outer),
    accessTokenScopes: narrowSet('accessTokenScopes', own, outer),
    clientScopes: narrowSet('clientScopes', own, outer),
    accessTokenLifetimeSeconds: least('accessTokenLifetimeSeconds', own, outer),
  })
}

function narrow(name: ListName, own: PolicyOptions, outer: PolicyBounds): readonly string[] | undefined {
  const [inner, bounds] = [own[name], outer[name]]
  if (inner === undefined || bounds === undefined) return inner ?? bounds
  return inner.filter((one) => isWithinAny(one, bounds, LISTS[name]))
}

function narrowSet(name: ListName, own: PolicyOptions, outer: PolicyBounds): ReadonlySet<string> | undefined {
  const list = narrow(name, own, outer)
  return list && new Set(list)
}

/** A client may add a constraint, or replace `dpop` by `mtls` and the reverse. It cannot lift the outer constraint. */
function stricter(own: PolicyOptions, outer: PolicyBounds): SenderConstraint {
  const isLifted = own.senderConstraint === undefined || own.senderConstraint === 'none'
  return (isLifted ? outer.senderConstraint : own.senderConstraint) ?? 'none'
}

/** `refuse` is within both other values. `replace` and `add` are not within each other. */
function rebindingWithin(own: PolicyOptions, outer: PolicyBounds): Rebinding {
  const wanted = own.rebinding ?? outer.rebinding ?? 'refuse'
  return wanted === (outer.rebinding ?? wanted) ? wanted : 'refuse'
}

/** `flag` is less strict, so the outer policy can forbid it. */
function containment(own: PolicyOptions, outer: PolicyBounds): ReplayContainment {
  return outer.onReplay === 'revoke' ? 'revoke' : (own.onReplay ?? outer.onReplay ?? 'revoke')
}

function least(name: (typeof LIMITS)[number], own: PolicyOptions, outer: PolicyBounds): number {
  return Math.min(own[name] ?? outer[name] ?? DEFAULTS[name], mostOf(name, outer))
}

function shorter(own: number | undefined, outer: number | undefined): number | undefined {
  return own === undefined || outer === undefined ? (own ?? outer) : Math.min(own, outer)
}

/** Only the greatest lifetime has a bound by default. */
function mostOf(name: (typeof COUNTS)[number], outer: PolicyBounds): number {
  return outer[name] ?? (name === 'maxLifetimeSeconds' ? DEFAULTS[name] : Number.POSITIVE_INFINITY)
}
