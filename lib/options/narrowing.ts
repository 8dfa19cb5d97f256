import { describe, type Faults, join } from '../base/faults.js'
import { isNetworkWithin } from '../base/network.js'
import { isSubjectWithin } from '../clients/policy.js'
import type { Client, ClientMetadata } from '../ports/client.js'
import type { Deployment } from '../ports/deployment.js'
import type { Policy, PolicyBounds, PolicyOptions } from '../ports/policy-options.js'

/** Lists that are empty by default. */
const EMPTY = {
  scopes: [],
  defaultScopes: [],
  audiences: [],
  subjects: [],
  introspectAudiences: [],
  registrationPolicies: [],
} as const satisfies PolicyOptions

/** The other defaults of a policy. */
export const DEFAULTS = {
  lifetimeSeconds: 300,
  maxLifetimeSeconds: 900,
  senderConstraint: 'none',
  rebinding: 'refuse',
  maxBindings: 2,
  onReplay: 'revoke',
  requireSoftwareStatement: false,
  outstandingKeys: 1000,
  accessTokenLifetimeSeconds: 600,
} as const satisfies PolicyOptions

/** How the outer policy, which is that of the deployment, bounds one member of a policy. */
interface Bound<T> {
  /** The member as the outer policy allows it. `undefined`: neither policy has it. */
  narrow(own: T | undefined, outer: T | undefined): T | undefined
  /** What the outer policy allows, for a fault. Lists need none. */
  readonly allowed?: (outer: T | undefined) => string
}

type Within = (inner: string, outer: string) => boolean

const same: Within = (inner, outer) => inner === outer

/** Each entry of the list must be within an entry of the outer list. */
function entriesWithin(within: Within): Bound<readonly string[]> {
  return {
    narrow(own, outer) {
      if (own === undefined || outer === undefined) return own ?? outer
      return own.filter((one) => outer.some((other) => within(one, other)))
    },
  }
}

/** @param otherwise the greatest number if the outer policy has none */
function atMost(otherwise?: number): Bound<number> {
  const most = (outer: number | undefined) => outer ?? otherwise ?? Number.POSITIVE_INFINITY
  return {
    narrow: (own, outer) => (own === undefined ? outer : Math.min(own, most(outer))),
    allowed: (outer) => `at most ${most(outer)}`,
  }
}

/** Other members bound it: see `noteContradictions` and `completePolicy`. */
const INHERITED = { narrow: <T>(own: T | undefined, outer: T | undefined) => own ?? outer }

/** The bound of each member. */
const BOUNDS: { readonly [K in keyof PolicyOptions]-?: Bound<NonNullable<PolicyOptions[K]>> } = {
  scopes: entriesWithin(same),
  audiences: entriesWithin(same),
  networks: entriesWithin(isNetworkWithin),
  subjects: entriesWithin(isSubjectWithin),
  accessTokenScopes: entriesWithin(same),
  clientScopes: entriesWithin(same),
  maxLifetimeSeconds: atMost(DEFAULTS.maxLifetimeSeconds),
  maxBindings: atMost(),
  outstandingKeys: atMost(),
  accessTokenLifetimeSeconds: atMost(),
  confirmWithinSeconds: atMost(),
  // A client may add a constraint, or replace `dpop` by `mtls` and the reverse.
  senderConstraint: {
    narrow: (own, outer) => (own === undefined || own === 'none' ? (outer ?? own) : own),
    allowed: String,
  },
  requireSoftwareStatement: { narrow: (own, outer) => outer || own, allowed: String },
  // `refuse` is within both other values. `replace` and `add` are not within each other.
  rebinding: {
    narrow: (own, outer) =>
      own === undefined || outer === undefined || own === outer ? (own ?? outer) : 'refuse',
    allowed: (outer) => [...new Set([outer, 'refuse'])].join(' or '),
  },
  // `flag` is less strict, so the outer policy can forbid it.
  onReplay: { narrow: (own, outer) => (outer === 'revoke' ? outer : (own ?? outer)), allowed: String },
  // These add up, because each registration policy allows less.
  registrationPolicies: { narrow: (own = [], outer = []) => [...new Set([...outer, ...own])] },
  // Each client needs its own permission to introspect others.
  introspectAudiences: { narrow: (own) => own },
  defaultScopes: INHERITED,
  lifetimeSeconds: INHERITED,
}

const NAMES = Object.keys(BOUNDS) as (keyof PolicyOptions)[]

function boundOf(name: keyof PolicyOptions): Bound<unknown> {
  return BOUNDS[name] as Bound<unknown>
}

/** Notes members that exceed the outer policy, and contradictions within a policy. */
export function validatePolicy(path: string, own: PolicyOptions, outer: PolicyBounds, faults: Faults): void {
  for (const name of NAMES) {
    const [value, outerValue, bound] = [own[name], outer[name], boundOf(name)]
    if (Array.isArray(value)) {
      noteBeyond(join(path, name), value, bound.narrow(value, outerValue), { of: `policy.${name}`, faults })
    } else if (value !== undefined && value !== bound.narrow(value, outerValue)) {
      const got = typeof value === 'string' ? `'${value}'` : String(value)
      faults.add(join(path, name), `${bound.allowed?.(outerValue)}, as policy.${name} says`, got)
    }
  }
  noteContradictions(path, own, outer, faults)
}

/** Notes members that exceed another member. */
function noteContradictions(path: string, own: PolicyOptions, outer: PolicyBounds, faults: Faults): void {
  const scopes = own.scopes ?? outer.scopes ?? []
  for (const name of ['defaultScopes', 'clientScopes'] as const)
    noteBeyond(join(path, name), own[name], scopes, { of: join(path, 'scopes'), faults })
  const introspected = join(path, 'introspectAudiences')
  noteBeyond(introspected, own.introspectAudiences, outer.audiences, { of: 'policy.audiences', faults })
  const cap = own.maxLifetimeSeconds ?? outer.maxLifetimeSeconds ?? DEFAULTS.maxLifetimeSeconds
  if ((own.lifetimeSeconds ?? 0) > cap) {
    faults.add(
      join(path, 'lifetimeSeconds'),
      `at most maxLifetimeSeconds, which is ${cap}`,
      String(own.lifetimeSeconds),
    )
  }
}

/** Notes the entries of a list that another list does not have. */
function noteBeyond(
  path: string,
  list: readonly string[] = [],
  allowed: unknown,
  { of, faults }: { readonly of: string; readonly faults: Faults },
): void {
  const beyond = list.filter((one) => !(allowed as readonly string[]).includes(one))
  if (beyond.length > 0) faults.add(path, `only what ${of} allows`, beyond.map(describe).join(', '))
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
  const narrowed = NAMES.map((name) => [name, boundOf(name).narrow(own[name], outer[name])] as const)
  const present = Object.fromEntries(narrowed.filter(([, value]) => value !== undefined)) as PolicyOptions
  const policy = { ...EMPTY, ...DEFAULTS, ...present }
  const { scopes, networks, confirmWithinSeconds, accessTokenScopes, clientScopes } = policy
  return Object.freeze({
    ...policy,
    scopes: new Set(scopes),
    defaultScopes: policy.defaultScopes.filter((scope) => scopes.includes(scope)),
    lifetimeSeconds: Math.min(policy.lifetimeSeconds, policy.maxLifetimeSeconds),
    introspectAudiences: policy.introspectAudiences.filter((one) => outer.audiences.includes(one)),
    // The list is empty if all networks of a client are outside. An empty list must not mean "anywhere".
    networks,
    confirmWithinSeconds,
    accessTokenScopes: accessTokenScopes && new Set(accessTokenScopes),
    clientScopes: clientScopes && new Set(clientScopes),
    registeredConstraints: registered,
  })
}
